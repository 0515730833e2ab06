"""The smallest value that fits a JSON Schema."""

from __future__ import annotations

from typing import Any


def least(schema: Any, definitions: Any = None) -> Any:
    """A value as small as the schema allows. What patterns, formats and combinations want besides, it does not see."""
    definitions = schema.get("$defs", {}) if definitions is None else definitions
    if "$ref" in schema:
        return least(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "default" in schema:
        return schema["default"]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return least(schema["anyOf"][-1], definitions)
    number = schema.get("minimum", 0)
    values: dict[Any, Any] = {
        "string": "a" * schema.get("minLength", 0),
        "integer": number,
        "number": float(number),
        "boolean": False,
        "array": [],
        "null": None,
    }
    if schema.get("type") in values:
        return values[schema["type"]]
    properties = schema.get("properties", {})
    return {name: least(properties[name], definitions) for name in schema.get("required", ())}
