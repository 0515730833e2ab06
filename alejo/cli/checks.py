"""The checks of `alejo doctor`. Each takes the settings and yields findings; none makes or changes a file."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import alejo
from alejo import settings as table
from alejo.errors import StartupError
from alejo.settings import Settings
from alejo.storage import keyfile
from alejo.storage.folder import MARKER, Folder
from alejo.storage.mount import network_filesystem
from alejo.types import PluginState

from . import output

_MIB = 1 << 20
_LITTLE_ROOM, _NO_ROOM = 1024 * _MIB, 64 * _MIB
_MUCH = 0.6  # of the room for records; a quarter of the least there can be is kept for deletes


class Finding(NamedTuple):
    """What one check found: level is ok, warn or fail; hint what to do about it."""

    level: str
    check: str
    text: str
    hint: str = ""


def versions(_: Settings) -> Iterator[Finding]:
    """ALEJO, Python, and whether every package it needs is there in a version it knows."""
    from importlib import metadata  # noqa: PLC0415 - 30 ms that only doctor pays

    from packaging.requirements import Requirement  # noqa: PLC0415

    python = ".".join(str(part) for part in sys.version_info[:3])
    yield Finding("ok", "versions", f"ALEJO {alejo.__version__} on Python {python}")
    for text in metadata.requires("alejo") or ():
        needed = Requirement(text)
        if needed.marker and not needed.marker.evaluate({"extra": ""}):
            continue
        try:
            installed = metadata.version(needed.name)
        except metadata.PackageNotFoundError:
            yield Finding("fail", "versions", f"{needed.name} is missing.", f"pip install '{needed}'")
            continue
        if not needed.specifier.contains(installed, prereleases=True):
            yield Finding("fail", "versions", f"{needed.name} {installed} does not fit.", f"pip install '{needed}'")


def core(_: Settings) -> Iterator[Finding]:
    """The Rust part."""
    try:
        from alejo import _core  # noqa: PLC0415 - that it may be missing is what is checked
    except ImportError as error:
        yield Finding("fail", "core", f"The native core cannot be imported ({error}).", "make install")
        return
    if _core.debug_build():
        yield Finding("warn", "core", "The native core is a debug build: it is slow.", "make build")
    else:
        yield Finding("ok", "core", "The native core is there, a release build.")


def settings(found: Settings) -> Iterator[Finding]:
    """Where the settings come from."""
    path = table.file()
    changed = [setting.option.name for setting in found.all() if setting.source != "default"]
    where = str(path) if path.exists() else f"no file at {path}"
    said = f"set otherwise than by default: {', '.join(changed)}" if changed else "all by default"
    yield Finding("ok", "settings", f"{where}; {said}.")
    if path.exists() and found["client.key"] and path.stat().st_mode & 0o077:
        yield Finding("warn", "settings", f"{path} may hold a key and can be read by others.", f"chmod 600 {path}")


def data(found: Settings) -> Iterator[Finding]:
    """The data folder, its format and who may enter it."""
    path = found.data_path
    if not (path / MARKER).exists() and not (path.exists() and any(path.iterdir())):
        yield Finding("ok", "data", f"There is no data folder at {path} yet; the first start makes it.")
        return
    folder = Folder.open(path, found.key_file, create=False)
    yield Finding("ok", "data", f"{folder.path}, format {folder.format}.")
    if path.stat().st_mode & 0o077:
        yield Finding("warn", "data", "Others on this machine can look into the data folder.", f"chmod 700 {path}")
    if not os.access(path, os.W_OK | os.X_OK):
        yield Finding("fail", "data", f"You may not write into {path}.", f"chown -R $USER {path}")


def key(found: Settings) -> Iterator[Finding]:
    """The master key: there, whole, readable by its owner alone, and theirs."""
    path = found.key_file
    if keyfile.read(path) is None:
        if (found.data_path / MARKER).exists():
            hint = "Restore it from your backup, or set data.key_file (or ALEJO_KEY_FILE) to where it is."
            yield Finding("fail", "key", f"The master key {path} is missing; the data cannot be read without it.", hint)
        else:
            yield Finding("ok", "key", f"There is no master key at {path} yet; the first start makes it.")
        return
    status = path.stat()
    if status.st_uid != os.getuid():
        yield Finding("warn", "key", f"The master key {path} belongs to another user.", f"chown $USER {path}")
    mode = stat.S_IMODE(status.st_mode)
    yield Finding("ok", "key", f"{path}, mode {mode:04o}. Keep a copy of it somewhere else.")


def records(found: Settings) -> Iterator[Finding]:
    """Whether the storage opens and what is in it can be read."""
    if not (found.data_path / MARKER).exists():
        return
    from .keys import opened  # noqa: PLC0415 - opens the storage

    async def count() -> int:
        async with opened(found) as keys:
            return sum(not one.revoked_at for one in await keys.list())

    keys = output.number(asyncio.run(count()), "key")
    yield Finding("ok", "records", f"The records open; {keys} may call.")


def jobs(found: Settings) -> Iterator[Finding]:
    """Whether jobs failed for good and wait for a person."""
    if not (found.data_path / MARKER).exists():
        return
    from alejo.clock import SystemClock  # noqa: PLC0415 - opens the storage
    from alejo.queue.status import Status  # noqa: PLC0415

    from .keys import stored  # noqa: PLC0415

    async def count() -> int:
        async with stored(found) as store:
            return sum(depth.dead for depth in (await Status(store, SystemClock()).look()).depths)

    dead = asyncio.run(count())
    if dead:
        text = f"{output.number(dead, 'job')} failed for good: what was said there is not worked through."
        yield Finding("warn", "jobs", text, "alejo jobs list --state dead")
    else:
        yield Finding("ok", "jobs", "No job failed for good.")


def room(found: Settings) -> Iterator[Finding]:
    """Whether the records near the most that they may take."""
    if not found.storage_url.startswith("lmdb:") or not (found.data_path / MARKER).exists():
        return
    from alejo.storage.opener import open_lmdb  # noqa: PLC0415 - opens the storage

    async def live() -> int:
        storage = open_lmdb(found.storage_url)
        taken = storage.stats()["live_bytes"]
        await storage.close()
        return taken

    taken, most = asyncio.run(live()) / _MIB, found["data.max_size_mb"]
    text = f"The records take {taken:,.1f} of the {most:,} MiB that they may."
    much = taken > most * _MUCH
    yield Finding("warn" if much else "ok", "room", text, "Set data.max_size_mb to more." if much else "")


def forgotten(found: Settings) -> Iterator[Finding]:
    """Whether what was forgotten longer than a day ago is still in the files, sealed."""
    if not found.storage_url.startswith("lmdb:") or not (found.data_path / MARKER).exists():
        return
    from alejo.storage.opener import open_lmdb  # noqa: PLC0415 - opens the storage

    async def residue() -> int | None:
        storage = open_lmdb(found.storage_url)
        since = storage.residue()
        await storage.close()
        return since

    since = asyncio.run(residue())
    days = (time.time() - since / 1e6) / 86_400 if since is not None else 0.0
    if days > 1:
        text = f"What was forgotten or deleted since {days:.0f} days is still in the files, sealed."
        yield Finding("warn", "forgotten", text, "alejo compact")
    elif since is None:
        yield Finding("ok", "forgotten", "Nothing that was forgotten is in the files.")
    else:
        yield Finding("ok", "forgotten", "What was forgotten less than a day ago is in the files, sealed.")


def files(found: Settings) -> Iterator[Finding]:
    """That the files: backend seals nothing, and the files it could not read."""
    if not found.storage_url.startswith("files:") or not (found.data_path / MARKER).exists():
        return
    from alejo.storage.opener import open_files  # noqa: PLC0415 - opens the storage

    async def refused() -> list[str]:
        storage = open_files(found.storage_url)
        await storage.close()
        return [str(each) for each in storage.refused]

    yield Finding("warn", "files", "Records are kept as plain text: whoever can read the folder reads them.")
    for each in asyncio.run(refused()):
        yield Finding("warn", "files", f"Left alone, as it is no record: {each}", "Correct the file, or move it away.")


def disk(found: Settings) -> Iterator[Finding]:
    """Room, and a file system on which a sync is one."""
    place = next(folder for folder in (found.data_path, *found.data_path.absolute().parents) if folder.exists())
    free = shutil.disk_usage(place).free
    level = "fail" if free < _NO_ROOM else "warn" if free < _LITTLE_ROOM else "ok"
    hint = "" if level == "ok" else "Make room, or set data.path to a larger disk."
    yield Finding(level, "disk", f"{free // _MIB:,} MiB are free at {place}.", hint)
    kind = network_filesystem(place)
    if kind:
        yield Finding(
            "fail", "disk", f"{place} is on a network file system ({kind}).", "Set data.path to a local disk."
        )


def ports(found: Settings) -> Iterator[Finding]:
    """Whether the addresses are free, or taken by the server of this data folder."""
    pid = None
    with contextlib.suppress(StartupError):  # other checks say what is wrong with folder and key
        pid = Folder.open(found.data_path, found.key_file, create=False).server_pid()
    if pid:
        yield Finding("ok", "server", f"A server runs (process {pid}).")
    else:
        yield Finding("ok", "server", "No server runs; chat starts one of its own, alejo serve one that stays.")
    for name in ("server.address", "server.metrics_address"):
        address = found[name]
        if address:
            yield _port(name, address, served=pid is not None)


def _port(name: str, address: str, *, served: bool) -> Finding:
    host, _, port = address.rpartition(":")
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
    except (OSError, ValueError, IndexError):
        return Finding("fail", "ports", f"{name} {address!r} is no address.", "Write it like 127.0.0.1:50151.")
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(target)
        except OSError as error:
            if served:
                return Finding("ok", "ports", f"{name} {address} is in use while the server runs.")
            hint = f"Stop what has it (ss -ltnp 'sport = :{port}'), or set {name} to another port."
            return Finding("fail", "ports", f"{name} {address} cannot be used: {error.strerror}.", hint)
    return Finding("ok", "ports", f"{name} {address} is free.")


def plugins(found: Settings) -> Iterator[Finding]:
    """How each plugin is, and which roles nobody fills."""
    from .plugins import statuses_of  # noqa: PLC0415 - loads the plugins if no server runs

    statuses, vacancies = asyncio.run(statuses_of(found, owner=True))
    for status in statuses:
        fit = status.state in {PluginState.ACTIVE, PluginState.DISCOVERED}
        text = f"{status.name} {status.version} is {status.state.name.lower()}"
        text += f": {status.reason}" if status.reason else f", loaded in {status.load_seconds * 1000:.0f} ms."
        yield Finding("ok" if fit else "warn", "plugins", text, "" if fit else status.hint)
        for lack in status.lacks:
            what, _, command = lack.partition(": ")
            yield Finding("ok", "plugins", f"{status.name}: {what}.", command)
    for vacancy in vacancies:
        # Without a brain nothing is answered; without the others the answers say what was missing.
        level = "fail" if vacancy.role == "brain" else "warn"
        yield Finding(level, "plugins", f"Nothing fills the role {vacancy.role}.", vacancy.hint)


ALL: tuple[Callable[[Settings], Iterable[Finding]], ...] = (
    versions,
    core,
    settings,
    data,
    key,
    records,
    jobs,
    room,
    forgotten,
    files,
    disk,
    ports,
    plugins,
)
