"""What of a message becomes a memory, in which layer and with what importance, and how a recall is weighed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from alejo.types import FactDraft, Layer, MemoryDraft, Message, RecallPlan, Role

from .facts import stated
from .importance import importance_of
from .reading import Sort, first_person, plain, sort, words
from .relations import complete

# A message recorded this much later than it was said was said elsewhere and is being imported.
IMPORTED_AFTER = 3_600 * 1_000_000

_INSTRUCTION = re.compile(
    r"^\W*(?:please\s+)?(?:call\s+me\b|(?:you\s+can\s+)?(?:address|refer\s+to)\s+me\b|from\s+now\s+on\b|"
    r"(?:always|never|do\s+not|don'?t\s+(?:ever\s+)?)\s*(?:answer|reply|speak|write|use|say|call|tell|ask|talk|respond|mention)\b|"
    r"(?:when|whenever|if)\s+i\s+(?:ask|say|write|tell\s+you)\b|(?:answer|reply|speak|write|respond)\s+(?:to\s+)?(?:me\s+)?in\b)",
    re.IGNORECASE,
)
_PREFERENCE = re.compile(
    r"\b(?:i|we)\s+(?:really\s+|also\s+|always\s+|usually\s+|absolutely\s+|do\s+not\s+|don'?t\s+)*"
    r"(?:prefer|like|love|adore|enjoy|hate|dislike|detest|avoid|am\s+fond\s+of)\b|\bi\s+can'?t\s+stand\b|"
    r"\bmy\s+(?:\w+\s+)?(?:favou?rite|fave|preferred)\b|\bi'?(?:m|\s+am)\s+(?:a\s+)?(?:big\s+)?(?:fan\s+of|into)\b",
    re.IGNORECASE,
)
_FACT = re.compile(
    r"\bmy\s+(?:[\w'-]+\s+){1,4}(?:is|are|was|were|has|have|lives?|works?|'s)\b|"
    r"\bi'?(?:m|\s+am)\s+(?:an?\s+|from\b|called\b|named\b|allergic\b|married\b|single\b|vegan\b|vegetarian\b|born\b|\d)|"
    r"\bi\s+(?:live|work|study|come|own|have|speak|was\s+born|grew\s+up|got\s+married)\b|"
    r"\b(?:we|i)\s+have\s+(?:an?|two|three|four|five|\d+)\b",
    re.IGNORECASE,
)
_RECENT = re.compile(
    r"\b(?:last|latest|lately|recent(?:ly)?|newest|yesterday|today|tonight|just|now|currently|current|"
    r"this\s+(?:morning|afternoon|evening|week|month)|these\s+days|at\s+the\s+moment|so\s+far)\b",
    re.IGNORECASE,
)
# Who asks so asks for the assistant's own words: English, German, Spanish.
_YOU_SAID = re.compile(
    r"\byou\s+(?:\w+\s+)?(?:t[eo]ll|told|sa(?:y|id)|suggest|recommend|advi[sc]e|propose|g[ia]ve|mention|explain|show|warn|"
    r"promise|offer|came?\s+up|come\s+up)\w*|\byour\s+(?:advice|suggestion|recommendation|idea|tip|answer|recipe|plan|trick)\b|"
    r"\b(?:hast|hattest)\s+du\b|\bdu\s+mir\b|\bdein\w*\s+(?:rat|vorschlag|tipp|empfehlung|idee|rezept|trick)\b|"
    r"\b(?:dijiste|recomendaste|sugeriste|aconsejaste|propusiste|explicaste|diste|contaste|mencionaste|pasaste)\b|"
    r"\btu\s+(?:consejo|sugerencia|recomendaci[oó]n|idea|receta|truco)\b",
    re.IGNORECASE,
)
_SIMPLE = 24  # words; a longer message tells what happened, whatever it says about its speaker besides

_LAYERS = {
    "instruction": Layer.PROCEDURAL,
    "preference": Layer.SEMANTIC,
    "fact": Layer.SEMANTIC,
    "note": Layer.SEMANTIC,
    "question": Layer.WORKING,
    "remark": Layer.WORKING,
}
_ASSISTANT = {"Assistant": 1.0, "ALEJO": 1.0}
_SPEAKERS = {Role.ASSISTANT: "Assistant", Role.TOOL: "Tool"}

_WEIGHTS: dict[str, float] = msgspec.json.decode((Path(__file__).parent / "weights.json").read_bytes())
# An episode has the words of many messages, and would stand before the one that answers.
_KINDS = {"episode": 0.1}
_MIN_COVERAGE = 0.05
# Low, as what answers in other words is seldom near: with 0.4, of what answers a question in English a fifth less was
# among the ten best, and a third was not among all that was found.
_MIN_SIMILARITY = 0.1
_LATEST = 2.0  # what recency weighs when the newest is asked for
_LATELY = 7 * 86400.0


def kind_of(text: str) -> str:
    """The kind of a statement: instruction, preference, fact, remark or statement."""
    text = plain(text)
    spoken = words(text)
    if _INSTRUCTION.search(text):
        return "instruction"
    if len(spoken) <= _SIMPLE:
        if _PREFERENCE.search(text):
            return "preference"
        if _FACT.search(text):
            return "fact"
    if len(spoken) < 3 and not first_person(text):
        return "remark"
    return "statement"


class Judgement:
    """The built-in memory strategy. It reads words only, so the same text is always judged the same.

    How evidence weighs was fitted by `alejo bench fit`; `weights` replaces single ones.
    """

    def __init__(self, weights: Mapping[str, float] | None = None) -> None:
        self._plain = RecallPlan(
            _WEIGHTS | {"kind": 1.0} | dict(weights or {}),
            kind_weights=_KINDS,
            min_coverage=_MIN_COVERAGE,
            min_similarity=_MIN_SIMILARITY,
        )
        latest = self._plain.weights | {"recency": _LATEST}
        self._latest = msgspec.structs.replace(self._plain, weights=latest, recency_half_life=_LATELY)

    async def keep(self, message: Message) -> Sequence[MemoryDraft]:
        """The message as one memory in its own words, or nothing for commands, courtesies and a brain's own answers."""
        if message.redacted or not self._is_told(message):
            return ()
        captions = [f"[photo: {image.caption.strip()}]" for image in message.images if image.caption.strip()]
        what = sort(message.text)
        if what in (Sort.COMMAND, Sort.COURTESY, Sort.NOTHING) and not captions:
            return ()
        kind = "question" if what is Sort.QUESTION and not captions else kind_of(message.text)
        text = " ".join(part for part in (message.text.strip(), *captions) if part)
        return (
            MemoryDraft(
                text=text,
                layer=_LAYERS.get(kind, Layer.EPISODIC),
                kind=kind,
                speaker=message.speaker or _SPEAKERS.get(message.role, ""),
                session_id=message.session_id,
                message_id=message.id,
                sent_at=message.sent_at,
                importance=importance_of(text, kind),
                metadata=dict(message.metadata),
            ),
        )

    async def complete(self, draft: MemoryDraft) -> MemoryDraft:
        """The draft with layer and importance chosen where they were left open; what was given stays."""
        kind = draft.kind if draft.kind != "note" else kind_of(draft.text)
        layer = draft.layer
        if layer is None:
            # What somebody asked to have remembered is no passing remark, whatever its length.
            asked = draft.kind == "note" and kind in ("statement", "remark")
            layer = Layer.SEMANTIC if asked else _LAYERS.get(kind, Layer.EPISODIC)
        importance = importance_of(draft.text, draft.kind) if draft.importance is None else draft.importance
        return msgspec.structs.replace(draft, layer=layer, importance=importance)

    async def plan(self, query: str) -> RecallPlan:
        """The fitted weights; recency counts when the words ask for it, and so does what the assistant said."""
        chosen = self._latest if _RECENT.search(query) else self._plain
        return msgspec.structs.replace(chosen, speakers=_ASSISTANT) if _YOU_SAID.search(query) else chosen

    async def facts(self, message: Message) -> Sequence[FactDraft]:
        """What a message simply states of its speaker and theirs."""
        return stated(message)

    async def complete_fact(self, draft: FactDraft) -> FactDraft:
        """The draft with its relation in the word for it, and what was left open as that relation has it."""
        return complete(draft)

    @staticmethod
    def _is_told(message: Message) -> bool:
        if message.role is Role.USER or message.speaker:
            return True
        return message.role in _SPEAKERS and message.recorded_at - message.sent_at > IMPORTED_AFTER
