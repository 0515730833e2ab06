"""docs/api.md: every call, message, field and enum value, in the words of the comments in proto/."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    ServiceDescriptorProto,
)

from alejo.server.methods import ACCESS

# Numbers of fields in descriptor.proto, of which the paths of source_code_info are made.
_MESSAGE, _ENUM, _SERVICE = 4, 5, 6
_FIELD, _ONEOF, _VALUE, _METHOD = 2, 8, 2, 2
_PACKAGE = ".alejo.v1."
_INTRO = """
Requests are checked against the limits told here before anything is done; all that is wrong comes back at once, as
[`INVALID_FIELD`](errors.md#reasons) with the path of each field. A field that is not set is an empty text, 0, false or
an empty list. Times are UTC. How to call, with keys, request ids and retries: [clients.md](clients.md).
"""


def page(files: Sequence[FileDescriptorProto], mark: str) -> str:
    """The page, of files with their comments (source_code_info)."""
    lines = ["# The calls", "", mark, *_INTRO.rstrip("\n").split("\n")]
    for file in files:
        comments = _Comments(file)
        for number, service in enumerate(file.service):
            lines.extend(_service(file.package, service, comments, number))
    lines += ["", "# The messages"]
    for file in files:
        comments = _Comments(file)
        for number, message in enumerate(file.message_type):
            lines.extend(_message(message, comments, number))
        for number, enum in enumerate(file.enum_type):
            lines.extend(_enum(enum, comments, number))
    return "\n".join(lines) + "\n"


class _Comments:
    """The comments of a file, by the path of what they stand before."""

    def __init__(self, file: FileDescriptorProto) -> None:
        self._by_path = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}

    def __call__(self, *path: int) -> str:
        return " ".join(self._by_path[path].split())

    def cell(self, *path: int) -> str:
        """The same, for a cell of a table."""
        return self(*path).replace("|", "\\|")


def _service(package: str, service: ServiceDescriptorProto, comments: _Comments, number: int) -> Iterator[str]:
    yield from ("", f"## {service.name}", "", comments(_SERVICE, number))
    for j, method in enumerate(service.method):
        asks = ("stream of " if method.client_streaming else "") + _link(method.input_type)
        gives = ("stream of " if method.server_streaming else "") + _link(method.output_type)
        access = ACCESS[f"{package}.{service.name}/{method.name}"].value
        yield from ("", f"### {service.name}.{method.name}", "", comments(_SERVICE, number, _METHOD, j), "")
        yield f"{asks} → {gives}. For {access}."


def _message(message: DescriptorProto, comments: _Comments, number: int) -> Iterator[str]:
    yield from ("", f"## {message.name}", "", comments(_MESSAGE, number))
    if not message.field:
        return
    for j, oneof in enumerate(message.oneof_decl):
        if not oneof.name.startswith("_"):  # that is how an optional field is written in a descriptor
            names = [
                f"`{field.name}`" for field in message.field if field.HasField("oneof_index") and field.oneof_index == j
            ]
            yield from ("", f"Of {_listed(names)} one is set. {comments(_MESSAGE, number, _ONEOF, j)}")
    yield from ("", "| field | type | what it is |", "|---|---|---|")
    entries = {entry.name: entry for entry in message.nested_type if entry.options.map_entry}
    for j, field in enumerate(message.field):
        yield f"| `{field.name}` | {_type(field, entries)} | {comments.cell(_MESSAGE, number, _FIELD, j)} |"


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _enum(enum: EnumDescriptorProto, comments: _Comments, number: int) -> Iterator[str]:
    yield from ("", f"## {enum.name}", "", comments(_ENUM, number), "")
    yield from ("| value | number | what it means |", "|---|---|---|")
    for j, value in enumerate(enum.value):
        yield f"| `{value.name}` | {value.number} | {comments.cell(_ENUM, number, _VALUE, j)} |"


def _type(field: FieldDescriptorProto, entries: dict[str, DescriptorProto]) -> str:
    entry = entries.get(field.type_name.rpartition(".")[2])
    if entry is not None:
        key, value = entry.field
        return f"map of {_type(key, {})} to {_type(value, {})}"
    name = _link(field.type_name) if field.type_name else FieldDescriptorProto.Type.Name(field.type)[5:].lower()
    if field.label == FieldDescriptorProto.LABEL_REPEATED:
        return f"list of {name}"
    return f"optional {name}" if field.proto3_optional else name


def _link(type_name: str) -> str:
    """A type's name, with the way to its heading if it is ours."""
    if not type_name.startswith(_PACKAGE):
        return f"`{type_name.removeprefix('.')}`"
    name = type_name.removeprefix(_PACKAGE)
    return f"[`{name}`](#{name.lower()})"
