"""The server makes its files anew by itself, so that what was forgotten is in none of them within a day."""

from __future__ import annotations

import asyncio
import time

from alejo import log
from alejo.app import Assistant
from alejo.errors import AlejoError

_LOOK_SECONDS = 600.0


async def rounds(assistant: Assistant, hours: float) -> None:
    """Looks now and then whether something was deleted longer than `hours` ago, and takes it out; 0: never."""
    while hours:
        await asyncio.sleep(min(_LOOK_SECONDS, hours * 3600))
        since = assistant.residue()
        if since is None or time.time() - since / 1e6 < hours * 3600:
            continue
        try:
            before, after = await assistant.compact()
        except AlejoError as error:  # told, and tried again: nothing is lost by waiting but time
            log.get().warning("what was forgotten is still in the files, sealed", why=error.reason)
        else:
            log.get().info("compacted", before=before, after=after)
