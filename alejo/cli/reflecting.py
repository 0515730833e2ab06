"""`alejo reflect`."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
from typing import TYPE_CHECKING

import click

from . import options, output
from .exits import Exit

if TYPE_CHECKING:
    from alejo.settings import Settings

_NICE = 10


@click.command("reflect")
@click.option("--workers", metavar="N", default=1, type=click.IntRange(1, 64), help="How many processes. By default 1.")
@click.option("--beside", is_flag=True, hidden=True, help="End with whoever holds the other end of standard input.")
@options.data
@options.debug
def command(workers: int, beside: bool, data: str | None) -> int:
    """Work through what was said, beside the server of the data folder, until told to stop (Ctrl-C or SIGTERM).

    A server does so by itself (reflection.workers); this is for more of it. It also works where no server runs.
    """
    return options.run(_reflect(options.settings(data__path=data), workers, beside=beside))


async def _reflect(settings: Settings, workers: int, *, beside: bool) -> int:
    gc.disable()  # see `alejo serve`
    from alejo.app import work  # noqa: PLC0415 - nothing of this is needed to show --help
    from alejo.reflection.crew import Crew, first  # noqa: PLC0415

    options.log(settings, quiet=False)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    if beside:
        os.nice(_NICE)
        with contextlib.suppress(OSError):
            loop.add_reader(sys.stdin.fileno(), _heard, stopping)
    if workers > 1:
        gc.enable()
        crew = Crew(workers, settings.environment())
        running = asyncio.create_task(crew.run())
        output.say(f"{workers} workers are at work on {settings.data_path}.")
        await first([stopping.wait(), asyncio.shield(running)])
        crew.stop()
        await running
        return Exit.OK

    def begin() -> None:
        if not gc.isenabled():  # the first time: what it opens again may go again
            gc.freeze()
            gc.enable()
        if not beside:
            output.say(f"At work on {settings.data_path}.")

    await work(settings, stopping, begin)
    return Exit.OK


def _heard(stopping: asyncio.Event) -> None:
    """Whoever has this process says nothing, so what there is to read is the end."""
    asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
    stopping.set()
