"""`alejo restore`: a data folder made from a backup."""

from __future__ import annotations

from pathlib import Path

import click

from alejo.errors import StartupError

from . import options, output
from .exits import Exit


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "target",
    metavar="FOLDER",
    shell_complete=options.folders,
    help="The data folder to make. [setting data.path]",
)
@options.without_key_check
@options.debug
def command(file: Path, target: str | None, without_key_check: bool) -> None:
    """Make a data folder, new or empty, from the backup FILE.

    The backup is verified and every record opened with the master key before anything is written; a folder that holds
    data is refused. What was kept, forgotten or revoked after the backup is as it was when it was taken.
    """
    from alejo.storage import backup  # noqa: PLC0415 - storage is not needed to show --help

    settings = options.settings(data__path=target)
    if settings.storage_url.startswith("files:"):
        raise StartupError(
            "A backup holds sealed records, which cannot be restored as files.",
            hint="Restore --to a folder without files: before its name.",
            exit_code=Exit.CONFIGURATION,
        )
    manifest = backup.restore(file, settings.data_path, None if without_key_check else settings.key_file)
    output.say(f"Restored: {settings.data_path} is as it was at {output.iso(manifest.made_at)}.")
    output.say("! What was forgotten since is there again, and keys that were revoked since may call: alejo keys list.")
    if without_key_check:
        output.say(f"! Nothing was opened. The folder needs the key it was made with, at {settings.key_file}.")
    if settings["data.storage"]:
        output.say(f"! data.storage is {settings['data.storage']}: unset it, the records are in the folder itself.")
