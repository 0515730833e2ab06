"""What a server says of itself when it starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import alejo
from alejo.types import PluginState, PluginStatus, Vacancy

from . import output

if TYPE_CHECKING:
    from alejo.app import Assistant
    from alejo.storage import Storage
    from alejo.storage.files import Refusal


def lines(assistant: Assistant, listening: Sequence[str], *, has_keys: bool) -> list[str]:
    """The banner, a line each. `listening` is what the server says of itself, a call to try last."""
    folder = assistant.folder
    said = [f"ALEJO {alejo.__version__}", f"Data in {folder.path} ({assistant.storage_name})."]
    said += listening[:-1]
    if not has_keys:
        said.append("No other program has a key yet: alejo keys add NAME makes one.")
    said += trouble(assistant.plugins.statuses(), assistant.plugins.vacancies())
    if assistant.store.plain:
        said.append("! Records are kept as plain text, as you chose: whoever can read the folder reads them.")
    said += [output.one_line(f"! Left alone, as it is no record: {each}") for each in refused(assistant.storage)]
    if debug_build():
        said.append("! The native core is a debug build: it is slow, and figures taken with it mean nothing.")
    if folder.key_made:
        said.append(f"! Back up your key {folder.key_file}: without it nothing that is remembered can be read.")
    return [*said, *listening[-1:]]


def trouble(statuses: Sequence[PluginStatus], vacancies: Sequence[Vacancy]) -> list[str]:
    """The roles without a plugin and the plugins that were rejected, with what helps."""
    said = [f"! Nothing fills the role {vacancy.role}. Try: {vacancy.hint}" for vacancy in vacancies]
    for status in statuses:
        if status.state == PluginState.REJECTED:
            hint = f" Try: {status.hint}" if status.hint else ""
            said.append(output.one_line(f"! The plugin {status.name} was rejected: {status.reason}{hint}"))
    return said


def refused(storage: Storage) -> list[Refusal]:
    """The files that the files: backend could not read as records."""
    from alejo.storage.files import FilesStorage  # noqa: PLC0415 - few storages are one

    return storage.refused if isinstance(storage, FilesStorage) else []


def debug_build() -> bool:
    """Whether the Rust core was compiled without optimisation."""
    from alejo import _core  # noqa: PLC0415 - doctor says more when it is missing

    return _core.debug_build()
