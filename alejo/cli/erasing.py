"""`alejo erase`: a user is gone for good, and a receipt says so, which can be checked later."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from alejo.errors import StartupError

from . import options, output
from .exits import Exit

if TYPE_CHECKING:
    from alejo.outcomes import Receipt
    from alejo.ownership import Standing
    from alejo.settings import Settings

_DATA_ERROR, _CANNOT_CREATE = 65, 73  # EX_DATAERR and EX_CANTCREAT of sysexits(3)
_LONGEST = 1 << 20
_RECEIPT_HINT = "Name the file that alejo erase wrote."


@click.command("erase")
@click.option(
    "-o", "--output", "path", type=click.Path(path_type=Path), help="Where the receipt goes. Default: stdout."
)
@click.option(
    "--verify", "receipt", type=click.Path(path_type=Path), metavar="RECEIPT", help="Erase nothing: check a receipt."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.server
def command(
    path: Path | None,
    receipt: Path | None,
    yes: bool,
    data: str | None,
    url: str | None,
    key: str | None,
    user: str | None,
) -> int:
    """Erase a user for good, after showing what that takes.

    The user's data keys are destroyed, so that nothing of theirs can be read any more, wherever a copy of the folder is
    that has not got these keys; then all records are deleted and the files made anew. The receipt says what was
    destroyed when; --verify tells whether it is this folder's, and whether the keys have come back, as from a backup.
    """
    settings = options.settings(data__path=data, client__url=url, client__key=key)
    if receipt is not None:
        return options.run(_verify(settings, receipt))
    if path is not None and path.exists():
        raise StartupError(f"{path} is there already.", hint="Name a new one.", exit_code=_CANNOT_CREATE)
    return options.run(_erase(settings, user or "", path, yes=yes))


async def _erase(settings: Settings, user: str, path: Path | None, *, yes: bool) -> int:
    from . import link  # noqa: PLC0415 - grpc is not needed to show --help

    async with link.reach(settings, user) as reached:
        preview = await reached.client.preview_erase()
        if not preview.token:
            output.say("Nothing is kept of this user.")
            return Exit.OK
        for name, count in sorted(preview.counts.items()):
            output.say(f"  {count:>10,}  {name}")
        if not yes:
            click.confirm("Erase the user and all of this for good?", abort=True, err=True)
        receipt, cleared = await reached.client.erase_user(preview.token)
    told = msgspec.json.format(msgspec.json.encode(msgspec.structs.asdict(receipt)), indent=2) + b"\n"
    try:
        if path is None:
            click.echo(told, nl=False)
        else:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(told)
    except OSError as error:
        click.echo(told, nl=False)
        raise StartupError(
            f"The user is erased, but {path} cannot be written: {error.strerror}.",
            hint="Keep what stands on stdout.",
            exit_code=_CANNOT_CREATE,
        ) from None
    output.say(f"Erased: {output.one_line(receipt.user)} of {output.one_line(receipt.tenant)}.")
    if not cleared:
        output.say("  What is left in the files cannot be opened, and goes with: alejo compact")
    return Exit.OK


async def _verify(settings: Settings, path: Path) -> int:
    from alejo.ownership import Standing  # noqa: PLC0415 - see above

    receipt = _read(path)
    standing = await _standing(settings, receipt)
    whom = f"{output.one_line(receipt.user)} of {output.one_line(receipt.tenant)}"
    if standing is Standing.RESTORED:
        output.say(f"! The keys of {whom} are back, as from a backup: alejo erase again.", fg="red")
        return Exit.FAILED
    if standing is Standing.UNDER_WAY:
        output.say(f"The keys of {whom} are destroyed; their records are being deleted.")
        return Exit.OK
    when = output.iso(receipt.erased_at)
    output.say(f"Sound: {output.number(len(receipt.keys), 'key')} of {whom} destroyed {when}, and none is here.")
    return Exit.OK


def _read(path: Path) -> Receipt:
    from alejo.outcomes import Receipt  # noqa: PLC0415 - see above

    try:
        with path.open("rb") as file:
            fields = msgspec.json.decode(file.read(_LONGEST), type=dict[str, Any])
        return msgspec.convert([fields.get(name) for name in Receipt.__struct_fields__], Receipt)
    except OSError as error:
        raise StartupError(
            f"{path} cannot be read: {error.strerror}.", hint=_RECEIPT_HINT, exit_code=Exit.NO_INPUT
        ) from None
    except msgspec.MsgspecError as error:
        raise StartupError(f"{path} is no receipt: {error}.", hint=_RECEIPT_HINT, exit_code=_DATA_ERROR) from None


async def _standing(settings: Settings, receipt: Receipt) -> Standing:
    """Looks into the data folder, beside whoever serves it. Raises StartupError for another folder's receipt."""
    from alejo.clock import SystemClock  # noqa: PLC0415 - see above
    from alejo.errors import InvalidArgument  # noqa: PLC0415
    from alejo.ownership import Erasures  # noqa: PLC0415
    from alejo.storage.folder import Folder  # noqa: PLC0415
    from alejo.storage.opener import open_store  # noqa: PLC0415

    options.log(settings, quiet=True)
    url, mebi = settings.storage_url, 1 << 20
    folder = Folder.open(settings.data_path, settings.key_file, create=False, brought=url.startswith("files:"))
    storage, store = await open_store(
        folder, url, {}, map_size=settings["data.map_size_mb"] * mebi, max_size=settings["data.max_size_mb"] * mebi
    )
    try:
        return await Erasures(storage, store, folder.keyring, SystemClock()).verify(receipt)
    except InvalidArgument:
        raise StartupError(
            "This receipt is not of this data folder, or was altered since.",
            hint="Name the folder with --data.",
            exit_code=_DATA_ERROR,
        ) from None
    finally:
        await store.close()
