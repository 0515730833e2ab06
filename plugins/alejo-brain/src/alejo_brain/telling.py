"""What the user told in a time, where a question names a time and nothing else: "What did I tell you yesterday?"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from alejo.roles import Turn
from alejo.types import Memory, Mention

from .asked import plain
from .knowing import named
from .phrases import dated, here, numbered
from .reading import courtesy
from .tongues import Tongue, tongues

LISTED = 5
_LOOKED_AT = 200  # memories, as many as a desk gives
_LONGEST = 120  # characters of such a question
_WORD = re.compile(r"\w")


async def told_then(turn: Turn) -> str | None:
    """The answer to such a question, in its language; None for all else, and where not enough is seen to tell."""
    if len(turn.message.text) > _LONGEST:
        return None
    tongue, time = _time(" ".join(plain(turn.message.text).split()))
    if tongue is None or any(missing.role == "memory" for missing in turn.degraded):
        return None
    times = [mention for mention in await named(turn) if mention.words in time]
    if not times or _WORD.search(_without(time, times)):
        return None
    newest = await turn.desk.memories(_LOOKED_AT)
    found = [each for each in reversed(newest) if _within(each.sent_at, times) and _is_told(each, turn)]
    if found:
        return _listed(sorted(found, key=lambda memory: memory.sent_at), turn, tongue)
    if len(newest) == _LOOKED_AT and newest[-1].sent_at >= min(mention.start for mention in times):
        return None
    return tongue.says["untold_then"][0].format(when=time)


def _time(text: str) -> tuple[Tongue | None, str]:
    """The language of a question for what was told, and what it says besides that."""
    for tongue in tongues().values():
        for pattern in tongue.told:
            if match := pattern.search(text):
                return tongue, match["time"].strip(" ,")
    return None, ""


def _without(text: str, times: Sequence[Mention]) -> str:
    for mention in times:
        text = text.replace(mention.words, "")
    return text


def _is_told(memory: Memory, turn: Turn) -> bool:
    """Whether a memory has the user's own words, which tell something."""
    own = memory.message_id not in ("", turn.message.id) and memory.fact is None and not memory.speaker
    polite = courtesy(memory.text) or any(tongue.polite.search(memory.text) for tongue in tongues().values())
    return own and memory.kind != "question" and not polite


def _within(moment: int, times: Sequence[Mention]) -> bool:
    return any(mention.start <= moment < mention.end for mention in times)


def _listed(memories: Sequence[Memory], turn: Turn, tongue: Tongue) -> str:
    """The last of them in order, and how many were told before."""
    items = numbered([dated(each, here(turn), tongue) for each in memories[-LISTED:]])
    more = len(memories) - LISTED
    return tongue.says["told_more" if more > 0 else "told_then"][0].format(items=items, count=more)
