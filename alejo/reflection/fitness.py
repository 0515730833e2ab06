"""Whether what a reflector found can be right: what cannot is refused whole, and never passes for nothing found."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from alejo.reflection.worker import Unfit
from alejo.roles import Work
from alejo.types import EpisodeDraft, FactDraft, Findings, ProcedureDraft

WORDS = 60  # of a summary
MOST_SOURCES = 256
_MOST = 512  # of each sort, of some dozen messages
_KINDS = frozenset({"instruction", "correction", "routine"})
_TITLE, _SUMMARY = 200, 2_000  # characters
_TOPIC, _CONTEXT = 24, 40  # characters; together with "when" they are a relation


def check(findings: Findings, work: Work) -> None:
    """Raises Unfit with a stable word for what is wrong with the findings about this work."""
    known = {said.message.id for said in (*work.earlier, *work.messages)}
    kept = {said.message.id for said in (*work.earlier, *work.messages) if said.memories}
    if max(map(len, (findings.episodes, findings.facts, findings.procedures))) > _MOST:
        raise Unfit("too_many")
    for sources in sources_of(findings.episodes, findings.facts, findings.procedures):
        _sources(sources, known, kept)
    if not all(map(_told, findings.episodes)) or not _follow(findings.episodes, work):
        raise Unfit("bad_episode")
    if not all(map(_stated, findings.facts)):
        raise Unfit("bad_fact")
    if not all(map(_done, findings.procedures)):
        raise Unfit("bad_procedure")


def sources_of(
    episodes: Sequence[EpisodeDraft], facts: Sequence[FactDraft], procedures: Sequence[ProcedureDraft]
) -> list[tuple[str, ...]]:
    """Of which messages each of these was made."""
    return [
        *(draft.sources for draft in episodes),
        *(draft.sources for draft in facts),
        *(draft.sources for draft in procedures),
    ]


def _sources(sources: Sequence[str], known: AbstractSet[str], kept: AbstractSet[str]) -> None:
    if not sources or len(sources) > MOST_SOURCES:
        raise Unfit("no_source" if not sources else "too_many_sources")
    if not known >= set(sources) or len(set(sources)) < len(sources):
        raise Unfit("unknown_source")
    if kept.isdisjoint(sources):
        raise Unfit("unkept_source")  # nothing would take it along when it is forgotten


def _told(draft: EpisodeDraft) -> bool:
    return (
        0 < len(draft.title.strip()) <= _TITLE
        and 0 < len(draft.summary.strip()) <= _SUMMARY
        and len(draft.summary.split()) <= WORDS
        and 0 <= draft.importance <= 1
    )


def _follow(drafts: Sequence[EpisodeDraft], work: Work) -> bool:
    """Whether only the first goes on with the last episode, if there is one, and only the last may be gone on with."""
    last = {"", work.episode.id} if work.episode is not None else {""}
    return all(draft.replaces in (last if place == 0 else {""}) for place, draft in enumerate(drafts)) and not any(
        draft.open for draft in drafts[:-1]
    )


def _stated(draft: FactDraft) -> bool:
    names = ((draft.subject, 256), (draft.relation, 64), (draft.object, 1024))
    return (
        all(0 < len(name.strip()) <= longest for name, longest in names)
        and len(draft.text) <= _SUMMARY
        and 0 <= draft.confidence <= 1
        and (draft.valid_from is None or draft.valid_to is None or draft.valid_from < draft.valid_to)
    )


def _done(draft: ProcedureDraft) -> bool:
    return (
        0 < len(draft.text.strip()) <= 1024
        and draft.kind in _KINDS
        and len(draft.topic) <= _TOPIC
        and len(draft.context) <= _CONTEXT
        and 0 < len(draft.subject.strip()) <= 256
        and 0 <= draft.confidence <= 1
    )
