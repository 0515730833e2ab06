"""The settings a plugin declares: a msgspec.Struct, read from its table of alejo.toml and from the environment."""

from __future__ import annotations

import difflib
from typing import Any

import msgspec

from alejo.settings import Option, Setting, Source, toml

from .states import Refusal

HIDDEN = "writeOnly"  # the word of JSON Schema for what is set and never shown


def options(plugin: str, schema: type[msgspec.Struct]) -> list[Option]:
    """A row for every field. Of its msgspec.Meta, `description` is the help; `extra_json_schema={"writeOnly": True}`
    keeps the value from being shown. Raises Refusal when a field is of a type that no settings file can hold.
    """
    try:
        properties = _properties(schema)
    except TypeError as error:
        raise Refusal(f"Its settings have a field that no file can hold: {error}.", "Use plain types.") from None
    rows = []
    for field in msgspec.structs.fields(schema):
        told = properties.get(field.encode_name, {})
        name = f"plugin.{plugin}.{field.encode_name}"
        _check_default(name, field)
        rows.append(Option(name, _default(field), str(told.get("description", "")), bool(told.get(HIDDEN, False))))
    return rows


def read(plugin: str, schema: type[msgspec.Struct], source: Source) -> tuple[Any, list[Setting]]:
    """The values as an object of the schema, and each with where it came from. Raises Refusal naming file and key."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(schema)}
    _check_known(plugin, fields, source)
    found, given = [], {}
    for option, (name, field) in zip(options(plugin, schema), fields.items(), strict=True):
        value, where = option.default, "default"
        try:
            if option.variable in source.variables:
                where = "environment"
                value = given[name] = _of_text(source.variables[option.variable], field.type)
            elif name in source.table:
                where = "file"
                value = given[name] = msgspec.convert(source.table[name], field.type)
            elif field.required:
                fix = f"Set it in [plugin.{plugin}] of {source.file}, or as {option.variable}."
                raise Refusal(f"{source.file}: {option.name} is required and not set.", fix)
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            raise _wrong(option, source, where, error) from None
        found.append(Setting(option, msgspec.to_builtins(value), where))
    try:
        return schema(**{fields[name].name: value for name, value in given.items()}), found
    except Exception as error:
        # A __post_init__ of the plugin's own, which says what it likes.
        reason = f"{source.file}: [plugin.{plugin}] is refused: {' '.join(str(error).split())[:200]}"
        raise Refusal(f"{reason.rstrip('.')}.", f"alejo plugins show {plugin} tells its settings.") from error


def _check_default(name: str, field: msgspec.structs.FieldInfo) -> None:
    if not field.required:
        try:
            msgspec.convert(_default(field), field.type)
        except msgspec.ValidationError as error:
            why = str(error).replace("`", "").partition(" - at ")[0]
            text = f"The default of its setting {name} is wrong: {why[0].lower()}{why[1:]}."
            raise Refusal(text, "Give it a default of its own type.") from None


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default is not msgspec.NODEFAULT:
        return msgspec.to_builtins(field.default)
    return None if field.default_factory is msgspec.NODEFAULT else msgspec.to_builtins(field.default_factory())


def _properties(schema: type[msgspec.Struct]) -> dict[str, dict[str, Any]]:
    (_,), definitions = msgspec.json.schema_components([schema])
    properties: dict[str, dict[str, Any]] = definitions[schema.__name__].get("properties", {})
    return properties


def _check_known(plugin: str, fields: dict[str, Any], source: Source) -> None:
    for name in source.table:
        if name not in fields:
            close = difflib.get_close_matches(name, fields, n=1)
            known = f"Its settings are {', '.join(fields)}." if fields else "It has no settings."
            fix = f"Did you mean {close[0]}?" if close else known
            raise Refusal(f"{source.file}: there is no setting plugin.{plugin}.{name}.", fix)


def _of_text(text: str, kind: Any) -> Any:
    """A value out of an environment variable: as it stands, as JSON, or as words between commas."""
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError:
        if text.lstrip().startswith(("[", "{")):
            return msgspec.json.decode(text, type=kind)
        if "," not in text:
            raise
        return msgspec.convert([part.strip() for part in text.split(",")], kind, strict=False)


def _wrong(option: Option, source: Source, where: str, error: Exception) -> Refusal:
    place = option.variable if where == "environment" else source.file
    # What msgspec says of a secret may quote it.
    why = "has a wrong value" if option.secret else str(error).replace("`", "").partition(" - at ")[0]
    example = "" if option.default is None or option.secret else f", for example {toml(option.default)}"
    name = option.name.rpartition(".")[2]
    target = (
        f"the variable {option.variable}" if where == "environment" else f"{name} in [{option.name[: -len(name) - 1]}]"
    )
    return Refusal(f"{place}: {option.name}: {why[0].lower()}{why[1:]}.", f"Correct {target}{example}.")
