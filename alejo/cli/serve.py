"""`alejo serve`."""

from __future__ import annotations

import asyncio
import gc
import sys
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
    gc.disable()  # nothing of what a start makes goes again, and looking for that is a fifth of it
    from alejo.app import Part, open_assistant  # noqa: PLC0415 - nothing of this is needed to show --help
    from alejo.server import Server, serve  # noqa: PLC0415

    from . import banner  # noqa: PLC0415

    # A plugin that computes in a thread of its own gives way to the server's loop after a millisecond instead of five.
    sys.setswitchinterval(0.001)
    options.log(settings, quiet=False)
    loop = asyncio.get_running_loop()
    began = loop.time()

    async with open_assistant(settings=settings, part=Part.SERVER) as assistant:
        has_keys = await assistant.keys.any()

        def announce(server: Server) -> None:
            for line in banner.lines(assistant, server.lines(), has_keys=has_keys):
                output.say(line)
            output.say(f"ready in {loop.time() - began:.2f} s")

        await serve(assistant, announce=announce)
    return Exit.OK
