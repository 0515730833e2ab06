"""The calls about how the user feels."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from alejo.types import Feelings, Mood, Relationship
from alejo.v1 import emotion_pb2 as pb
from alejo.wire import moods as wire

from .requests import new_request_id


class Moods:
    """How the user feels over time; `Client.moods` is one."""

    def __init__(self, call: Callable[[Any, Any], Awaitable[Any]], stub: Any) -> None:
        self._call = call
        self._stub = stub

    async def get(self) -> Feelings:
        """Mood, tone, triggers, relationship and trajectory, in three calls. Raises PluginFailed."""
        felt = await self._call(self._stub.GetMood, pb.GetMoodRequest())
        stands = await self._call(self._stub.GetRelationship, pb.GetRelationshipRequest())
        went = await self._call(self._stub.GetTrajectory, pb.GetTrajectoryRequest())
        return Feelings(
            wire.read_mood(felt.mood),
            wire.read_tone(felt.tone),
            wire.read_triggers(felt.triggers),
            wire.read_relationship(stands.relationship),
            wire.read_trajectory(went.points),
        )

    async def correct(
        self, *, valence: float | None = None, arousal: float | None = None, request_id: str = ""
    ) -> Mood:
        """Makes the mood what the user says it is now. Raises InvalidArgument, PluginFailed."""
        request = pb.CorrectMoodRequest(request_id=request_id or new_request_id(), valence=valence, arousal=arousal)
        return wire.read_mood((await self._call(self._stub.CorrectMood, request)).mood)

    async def update_relationship(
        self, *, trust: float | None = None, familiarity: float | None = None, request_id: str = ""
    ) -> Relationship:
        """Makes trust and familiarity what the user says they are now. Raises InvalidArgument, PluginFailed."""
        request = pb.UpdateRelationshipRequest(
            request_id=request_id or new_request_id(), trust=trust, familiarity=familiarity
        )
        return wire.read_relationship((await self._call(self._stub.UpdateRelationship, request)).relationship)

    async def forget(self, topic: str, *, request_id: str = "") -> bool:
        """Forgets a topic; whether it was there. Raises InvalidArgument."""
        request = pb.ForgetTriggerRequest(request_id=request_id or new_request_id(), topic=topic)
        return bool((await self._call(self._stub.ForgetTrigger, request)).forgotten)

    async def reset(self, *, request_id: str = "") -> int:
        """Deletes all that is kept of the user's emotions; returns of how many turns something was."""
        request = pb.ResetEmotionsRequest(request_id=request_id or new_request_id())
        return int((await self._call(self._stub.ResetEmotions, request)).turns)
