"""The way to a server: the one a URL names, the one that serves the data folder, or one of our own while we live.

Our own listens on the folder's Unix socket alone. It holds the folder's server lock like any other, so of several
commands that start at once one serves and the others join it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from alejo.client import NOT_REACHABLE, Client, connect, in_clear
from alejo.errors import StartupError, Unavailable
from alejo.settings import Settings

from . import options, output
from .exits import Exit

# How long a server that holds the lock may take until it listens, and how often we look.
_START_SECONDS = 20.0
_LOOK_SECONDS = 0.05


class Link:
    """A client, and what it stands on. `own` says that the server is ours; `key_made` names a key file made now.

    An `owner` comes to the data folder as whoever may enter it, whatever key programs are to show.
    """

    client: Client

    def __init__(self, settings: Settings, user: str = "", *, owner: bool = False) -> None:
        self._settings = settings
        self._user = user
        self._owner = owner
        self._stack = AsyncExitStack()
        self.own = False
        self.key_made: Path | None = None

    async def open(self) -> None:
        """Finds or starts the server. Raises StartupError, Unavailable."""
        if self._settings["client.url"]:
            await self._connect(self._settings["client.url"], self._settings["client.key"])
            return
        from alejo.storage.folder import Folder  # noqa: PLC0415 - a URL needs no folder

        brought = self._settings.storage_url.startswith("files:")
        folder = Folder.open(self._settings.data_path, self._settings.key_file, brought=brought)
        self.key_made = folder.key_file if folder.key_made else self.key_made
        deadline = asyncio.get_running_loop().time() + _START_SECONDS
        while not await answers(folder.socket_path):
            late = asyncio.get_running_loop().time() > deadline
            try:
                if late or folder.server_pid() is None:
                    await self._serve()
                    break
            except StartupError as error:
                if late or error.exit_code != Exit.LOCKED:
                    raise
            # Another process is about to listen, or about to be gone.
            await asyncio.sleep(_LOOK_SECONDS)
        # Only this OS user can enter the socket, and needs no key there; one that was given says for whom they act.
        await self._connect(f"unix:{folder.socket_path}", "" if self._owner else self._settings["client.key"])

    async def reopen(self) -> None:
        """The same again after the server went away. Raises Unavailable if it is not ours to replace."""
        if self._settings["client.url"]:
            raise unreachable(self._settings["client.url"])
        await self.close()
        await self.open()

    async def close(self) -> None:
        """Lets go of the server, and ends it if it is ours."""
        self.own = False
        await self._stack.aclose()

    async def _connect(self, target: str, key: str) -> None:
        if key and in_clear(target):
            output.say(f"The key and all that is said travel in clear to {target}; use https:// beyond this machine.")
        self.client = await self._stack.enter_async_context(connect(target, key=key, user=self._user))

    async def _serve(self) -> None:
        """Starts a server of our own, for as long as this link is open. Raises StartupError."""
        import alejo  # noqa: PLC0415 - a running server spares us the whole of it
        from alejo.server import Server  # noqa: PLC0415

        options.log(self._settings, quiet=True)
        async with AsyncExitStack() as stack:
            assistant = await stack.enter_async_context(alejo.open(settings=self._settings))
            server = Server(assistant, tcp=False, socket=True, metrics=False)
            await server.start()
            stack.push_async_callback(server.drain)
            self._stack.push_async_exit(stack.pop_all())
            self.own = True


@asynccontextmanager
async def reach(settings: Settings, user: str = "", *, owner: bool = False) -> AsyncIterator[Link]:
    """A link for the length of a block. A server that cannot be reached becomes a StartupError that says what helps."""
    link = Link(settings, user, owner=owner)
    try:
        await link.open()
        yield link
    except Unavailable as error:
        if error.reason != NOT_REACHABLE:
            raise
        raise unreachable(settings["client.url"] or str(settings.data_path)) from None
    finally:
        await link.close()


def unreachable(target: str) -> StartupError:
    """No server answers there."""
    return StartupError(
        f"No server answers at {target}.",
        hint="alejo serve, where it should run; alejo doctor says more",
        exit_code=Exit.UNAVAILABLE,
    )


async def answers(socket_path: Path) -> bool:
    """Whether a process listens on the Unix socket."""
    try:
        _, writer = await asyncio.open_unix_connection(socket_path)
    except OSError:
        return False
    writer.close()
    return True
