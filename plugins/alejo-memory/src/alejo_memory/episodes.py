"""Episodes: a session in parts, each with a title and a summary in the words that were said."""

from __future__ import annotations

from collections.abc import Sequence

from alejo.roles import Work
from alejo.types import EpisodeDraft, Findings, Said

from .reading import Sort, sentences, sort

_LONGEST = 60  # words of a summary
_MOST = 24  # messages of an episode


class Episodic:
    """The reflector of what happened."""

    name = "episodic"
    wants = ("appraisals", "meaning", "episode")

    async def reflect(self, work: Work) -> Findings:
        """See Reflector."""
        of_it = set(work.episode.sources if work.episode else ())
        told = [said for said in work.earlier if said.message.id in of_it] + [s for s in work.messages if _tells(s)]
        replaces = work.episode.id if work.episode else ""
        parts = [told[start : start + _MOST] for start in range(0, len(told), _MOST)]
        return Findings(
            tuple(
                EpisodeDraft(
                    _line(part[0])[:100],
                    _summary(part),
                    tuple(said.message.id for said in part),
                    replaces=replaces if place == 0 else "",
                    open=part is parts[-1],
                )
                for place, part in enumerate(parts)
            )
        )


def _tells(said: Said) -> bool:
    return bool(said.memories) and sort(said.message.text) is Sort.STATEMENT


def _line(said: Said) -> str:
    first = next(iter(sentences(said.message.text)), "")
    return f"{said.message.speaker}: {first}" if said.message.speaker else first


def _summary(part: Sequence[Said]) -> str:
    return " ".join(" ".join(map(_line, part)).split()[:_LONGEST])
