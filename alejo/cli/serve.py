"""`alejo serve`."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import click

from . import options, output
from .exits import Exit

if TYPE_CHECKING:
    from alejo.settings import Settings


@click.command("serve")
@click.option("--address", metavar="HOST:PORT", help="Where to listen. [server.address]")
@click.option("--metrics-address", metavar="HOST:PORT", help="Where metrics are. [server.metrics_address]")
@click.option("--allow-insecure", metavar="TEXT", help="See the setting server.allow_insecure.")
@options.data
@options.debug
def command(address: str | None, metrics_address: str | None, allow_insecure: str | None, data: str | None) -> int:
    """Run the server until it is told to stop (Ctrl-C or SIGTERM); calls in flight may finish."""
    settings = options.settings(
        server__address=address,
        server__metrics_address=metrics_address,
        server__allow_insecure=allow_insecure,
        data__path=data,
    )
    return options.run(_serve(settings))


async def _serve(settings: Settings) -> int:
    import alejo  # noqa: PLC0415 - nothing of this is needed to show --help
    from alejo.server import Server  # noqa: PLC0415
    from alejo.storage.folder import Folder  # noqa: PLC0415

    from . import banner  # noqa: PLC0415

    loop = asyncio.get_running_loop()
    began = loop.time()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, stop)
    folder = Folder.open(settings.data_path, settings.key_file)
    with folder.lock_server():
        async with alejo.open(settings=settings) as assistant:
            server = Server(assistant)
            await server.start()
            for line in await banner.lines(assistant, key_made=folder.key_made):
                output.say(line)
            output.say(f"ready in {loop.time() - began:.2f} s")
            await stop.wait()
            output.say("stopping: calls in flight may finish (again to end at once)")
            await server.drain()
    return Exit.OK


def _stop(stop: asyncio.Event) -> None:
    stop.set()
    # A second signal ends the process as if there were no handler.
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().remove_signal_handler(number)
