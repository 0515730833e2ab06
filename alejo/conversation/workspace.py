"""The global workspace: what was felt, seen and recalled and what drives propose competes for a few places, each turn.

What won is what the brain finds in its turn and what observers are told of. It fades from turn to turn; what is
proposed again does not get stronger by that until it has been there for some turns, so that nothing holds its place by
repetition. The idea is that of B. Baars, "A Cognitive Theory of Consciousness", 1988.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from datetime import UTC

import msgspec

from alejo.clock import Clock, time_zone
from alejo.conversation.integration import Integration
from alejo.conversation.senses import Senses
from alejo.conversation.turns import Turns, Underway
from alejo.errors import InvalidArgument, PluginFailed, StartupError
from alejo.events import Events
from alejo.memory import Memories
from alejo.memory.when import resolve
from alejo.metrics import Metrics
from alejo.plugins import PluginHost
from alejo.roles import Situation
from alejo.settings import Settings
from alejo.types import Answer, Appraisal, Candidate, Focus, Hit, Memory, Mention, Message, Percept, Scope, Workspace

DRIVE_SECONDS = 1.0
FAINT = 0.1  # what is weaker gets no attention
_SESSIONS = 1024
_MEMORIES = 4096
_SURPRISE = 0.3  # of what is wanting to the salience of what nobody expected, this much is added at most
_PICTURE, _READ = 0.5, 0.7  # the salience of what was seen, and of what words could be found for


class Policy(msgspec.Struct, frozen=True):
    """The settings `attention`: how many get attention, how many of one source, and what is left of them a turn later.

    What came in less than `refractory` turns ago gains nothing by being proposed again.
    """

    places: int = 7
    places_per_source: int = 3
    decay: float = 0.6
    refractory: int = 3

    @classmethod
    def of(cls, settings: Settings) -> Policy:
        """The policy that is set. Raises StartupError for a number that cannot be meant."""
        values = {name: settings[f"attention.{name}"] for name in cls.__struct_fields__}
        for name, value in values.items():
            most = 1.0 if name == "decay" else 100
            if not 0 <= value <= most:
                why = f"attention.{name} must be from 0 to {most:g}, not {value}."
                raise StartupError(why, hint="alejo config show", exit_code=78)
        return cls(**values)


def compete(candidates: Iterable[Candidate], before: Iterable[Focus], policy: Policy) -> tuple[Focus, ...]:
    """All that asked for attention and how it went, strongest first. `before` is how it went in the turn before.

    Of one memory or message there is one focus: those who propose it together make it stronger.
    """
    asking: dict[tuple[str, str], Candidate] = {}
    for each in candidates:
        place = (each.about, each.reference)
        known = asking.get(place)
        asking[place] = each if known is None else _joined(known, each)
    rivals: list[tuple[float, int, Candidate]] = []
    for focus in before:
        if focus.outcome != "won" and not focus.turns:
            continue
        candidate, turns, strength = focus.candidate, focus.turns + 1, focus.strength * policy.decay
        again = asking.pop((candidate.about, candidate.reference), None)
        if turns >= policy.refractory:
            if again is not None and (again.salience > strength or strength < FAINT):
                candidate, turns, strength = again, 0, again.salience
            elif strength < FAINT:
                continue
        rivals.append((strength, turns, candidate))
    rivals += [(each.salience, 0, each) for each in asking.values()]
    rivals.sort(key=_strength, reverse=True)
    return _placed(rivals, policy)


def _placed(rivals: Sequence[tuple[float, int, Candidate]], policy: Policy) -> tuple[Focus, ...]:
    taken: Counter[str] = Counter()
    free, foci = policy.places, []
    for strength, turns, candidate in rivals:
        if strength < FAINT:
            outcome = "faint"
        elif not free:
            outcome = "crowded"
        elif taken[candidate.source] >= policy.places_per_source:
            outcome = "quota"
        else:
            outcome = "won"
            free -= 1
            taken[candidate.source] += 1
        foci.append(Focus(candidate, strength, outcome, turns))
    return tuple(foci)


def _strength(rival: tuple[float, int, Candidate]) -> float:
    return rival[0]


def _joined(one: Candidate, other: Candidate) -> Candidate:
    first = max(one, other, key=lambda each: each.salience)
    return msgspec.structs.replace(first, salience=1 - (1 - one.salience) * (1 - other.salience))


def sensed(message: Message, senses: Senses) -> list[Candidate]:
    """What of the senses of a turn asks for attention."""
    found = [_recalled(hit) for hit in senses.recalled]
    if senses.surprise:
        salience = found[0].salience
        found[0] = msgspec.structs.replace(found[0], salience=salience + _SURPRISE * senses.surprise * (1 - salience))
    if senses.appraisal is not None:
        found.append(_felt(message, senses.appraisal))
    found += [_seen(message, percept) for percept in senses.percepts]
    return found


def _recalled(hit: Hit) -> Candidate:
    """A memory asks the more, the more of what was said it holds and the more it matters."""
    why = hit.evidence[0].name if hit.evidence else "recalled"
    salience = 0.6 * min(hit.coverage, 1.0) + 0.4 * hit.memory.importance
    return Candidate("memory", hit.memory.id, salience, why, "memory")


def _felt(message: Message, appraisal: Appraisal) -> Candidate:
    strongest = appraisal.emotions[0] if appraisal.emotions else None
    strength = max(abs(appraisal.valence), appraisal.arousal, strongest.strength if strongest else 0.0)
    why = strongest.name if strongest else "felt"
    return Candidate("message", message.id, min(strength, 1.0), why, "appraisal")


def _seen(message: Message, percept: Percept) -> Candidate:
    salience = _READ if percept.summary else _PICTURE
    return Candidate("picture", f"{message.id}/{percept.part}", salience, "seen", "percept")


class _Held(msgspec.Struct):
    """What is carried into the next turn of a session, which comes after the message `after`."""

    after: str = ""
    foci: tuple[Focus, ...] = ()
    proposed: tuple[Candidate, ...] = ()
    missing: dict[str, str] = {}


class Attention:
    """The workspaces of the sessions that were spoken in last; of any other one it begins with what its turn kept."""

    def __init__(
        self, turns: Turns, memories: Memories, plugins: PluginHost, events: Events, policy: Policy, clock: Clock
    ) -> None:
        self._turns = turns
        self._memories = memories
        self._plugins = plugins
        self._events = events
        self._policy = policy
        self._clock = clock
        self._held: OrderedDict[tuple[Scope, str], _Held] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._outcomes: Counter[str] = Counter()
        self._times = _Times()
        self.integration = Integration()

    async def attend(self, turn: Underway, senses: Senses) -> Workspace | None:
        """The workspace of a turn; None where nothing shall get attention."""
        if not self._policy.places:
            return None
        held = await self._before(turn)
        known = self._memories.known(turn.scope)
        heard = {message.id for message in turn.earlier if not message.redacted}

        def stands(each: Candidate) -> bool:
            return each.reference in known if each.about == "memory" else each.reference[:32] in heard

        before = [focus for focus in held.foci if stands(focus.candidate)]
        asking = sensed(turn.message, senses) + [each for each in held.proposed if stands(each)]
        return Workspace(turn.turn.id, compete(asking, before, self._policy), held.missing, senses.surprise)

    async def _before(self, turn: Underway) -> _Held:
        last = turn.earlier[-1] if turn.earlier else None
        held = self._held.get((turn.scope, turn.session.id))
        if last is None or (held is not None and held.after == last.id):
            return held or _Held()
        return _Held(last.id, await self._turns.foci(turn.scope, last))

    def attended(self, turn: Underway, senses: Senses, answer: Answer, zone: str) -> None:
        """Tells of the workspace of a turn that is done, and asks drives what they propose for the next one.

        `zone` is where the user is.
        """
        workspace = senses.workspace
        if workspace is None:
            return
        held = _Held(answer.message.id, workspace.foci)
        place = (turn.scope, answer.session_id)
        self._held[place] = held
        self._held.move_to_end(place)
        if len(self._held) > _SESSIONS:
            self._held.popitem(last=False)
        self._outcomes.update([focus.outcome for focus in workspace.foci])
        self.integration.seen([f.candidate.source for f in workspace.foci if f.outcome == "won" and not f.turns])
        self._events.tell("broadcast", answer.session_id, workspace)
        if self._plugins.every("drive"):
            task = asyncio.get_running_loop().create_task(self._propose(turn, answer, zone, held))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _propose(self, turn: Underway, answer: Answer, zone: str, held: _Held) -> None:
        situation = Situation(
            turn.session,
            answer.user_message,
            answer.message,
            answer.recalled,
            turn.memories,
            answer.appraisal,
            self._clock.now(),
        )
        drives = self._plugins.every("drive")
        if any("times" in slot.object.wants for slot in drives):
            timed = msgspec.structs.replace(situation, times=self._times.of(answer.recalled, zone))
        for slot in drives:
            name = slot.object.name
            given = timed if "times" in slot.object.wants else situation
            try:
                found = await self._plugins.call(slot, "propose", given, timeout=DRIVE_SECONDS)
            except PluginFailed as failure:
                held.missing = held.missing | {name: failure.why}
            except InvalidArgument:
                held.missing = held.missing | {name: "rejected"}
            else:
                held.proposed += tuple(msgspec.structs.replace(each, source=f"drive.{name}") for each in found)

    def observe(self, metrics: Metrics) -> None:
        """Has metrics tell how candidates fared, and how much their sources act together."""
        text = "What asked for attention, by how it went."
        metrics.counter("alejo_attention_candidates", text, "outcome", lambda: dict(self._outcomes))
        text = "The multi-information of the sources of attention over the last turns, in bits."
        metrics.gauge("alejo_attention_integration_bits", text, self.integration.bits)

    async def close(self) -> None:
        """Ends what drives are asked."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)


class _Times:
    """The times that memories name, without the words: those of the memories that were asked for last."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, int, str], tuple[Mention, ...]] = OrderedDict()

    def of(self, hits: Sequence[Hit], zone: str) -> dict[str, tuple[Mention, ...]]:
        """The times by the ids of memories, where there are any."""
        found = {hit.memory.id: self._named(hit.memory, zone) for hit in hits}
        return {memory_id: times for memory_id, times in found.items() if times}

    def _named(self, memory: Memory, zone: str) -> tuple[Mention, ...]:
        place = (memory.id, memory.version, zone)
        times = self._known.get(place)
        if times is None:
            spans = resolve(memory.text, memory.sent_at, time_zone(zone) or UTC)
            times = self._known[place] = tuple(Mention("", span.start, span.end) for span in spans)
            if len(self._known) > _MEMORIES:
                self._known.popitem(last=False)
        return times
