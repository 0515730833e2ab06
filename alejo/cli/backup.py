"""`alejo backup`: one file of all that is kept, taken beside a running server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from alejo.errors import StartupError

from . import options, output
from .exits import Exit

if TYPE_CHECKING:
    from alejo.settings import Settings
    from alejo.storage.backup import Manifest


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--verify", is_flag=True, help="Write nothing: read FILE, a backup, and say whether it is sound.")
@options.without_key_check
@options.as_json
@options.data
@options.debug
def command(file: Path, verify: bool, without_key_check: bool, data: str | None, as_json: bool) -> int:
    """Write everything that is kept to FILE, sealed as it is, beside a running server.

    FILE is new, and holds all that was acknowledged before the command began. It is read back and every record opened
    before it gets its name. The master key is not in it: without the key's own copy a backup cannot be read.
    """
    from alejo.storage import backup  # noqa: PLC0415 - storage is not needed to show --help

    settings = options.settings(data__path=data)
    if verify:
        manifest = backup.verify(file, None if without_key_check else settings.key_file)
        _tell(file, manifest, as_json=as_json)
        opened = "" if without_key_check else f", and every record opens with {settings.key_file}"
        output.say(f"Sound: {output.one_line(str(file))} is what was written{opened}.")
        return Exit.OK
    from alejo.clock import SystemClock  # noqa: PLC0415 - see above
    from alejo.storage.folder import Folder  # noqa: PLC0415

    folder = Folder.open(settings.data_path, settings.key_file, create=False)
    manifest, closed = backup.back_up(folder, records_path(settings, folder.records_path), file, SystemClock())
    _tell(file, manifest, as_json=as_json)
    output.say(f"! The key is not in it. Keep a copy of {folder.key_file} somewhere else: without it this is nothing.")
    if closed:
        raise StartupError(
            f"The backup is written, but {closed} of its records cannot be opened: they were damaged before.",
            hint="alejo doctor",
            exit_code=Exit.STORAGE,
        )
    return Exit.OK


def records_path(settings: Settings, usual: Path) -> Path:
    """Where the data file is. Raises StartupError when the records are not in one."""
    from alejo.storage.opener import lmdb_path  # noqa: PLC0415 - see command

    url = settings.storage_url
    scheme = url.partition(":")[0]
    if scheme == "files":
        raise StartupError(
            "The records are kept as files, which this command does not read.",
            hint=f"Copy the folder while no server runs: cp -a {settings.data_path} COPY. "
            "Without its .alejo/ and alejo.json, all that stands in users/ is taken anew.",
            exit_code=Exit.CONFIGURATION,
        )
    if scheme != "lmdb":
        raise StartupError(
            f"The records are kept in {scheme}:, which this command does not read.",
            hint=f"Back up {scheme}: with its own tools, and the data folder's alejo.json beside it.",
            exit_code=Exit.CONFIGURATION,
        )
    return lmdb_path(url)


def _tell(file: Path, manifest: Manifest, *, as_json: bool) -> None:
    size = sum(member.bytes for member in manifest.members.values())
    row: dict[str, Any] = {
        "file": str(file),
        "made_at": output.iso(manifest.made_at),
        "records": manifest.records,
        "bytes": size,
        "alejo": manifest.alejo,
        "data_format": manifest.data_format,
        "folder": manifest.folder,
    }
    output.listing([row], ["file", "made_at", "records", "bytes", "alejo"], as_json=as_json, empty="", widths=80)
