"""EmotionService."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alejo.v1 import emotion_pb2 as pb
from alejo.wire import moods as wire

if TYPE_CHECKING:
    from alejo.conversation.moods import Moods

    from .call import Call


class MoodsCalls:
    """How users feel, over the wire."""

    def __init__(self, moods: Moods) -> None:
        self._moods = moods

    async def get_mood(self, call: Call, request: pb.GetMoodRequest) -> pb.GetMoodResponse:
        """The mood, the tone and the triggers."""
        told = await self._moods.tell(call.scope)
        return pb.GetMoodResponse(
            mood=wire.write_mood(told.mood),
            tone=wire.write_tone(told.tone),
            triggers=wire.write_triggers(told.triggers),
        )

    async def get_trajectory(self, call: Call, request: pb.GetTrajectoryRequest) -> pb.GetTrajectoryResponse:
        """What was felt in each session."""
        told = await self._moods.tell(call.scope)
        return pb.GetTrajectoryResponse(points=wire.write_trajectory(told.trajectory))

    async def get_relationship(self, call: Call, request: pb.GetRelationshipRequest) -> pb.GetRelationshipResponse:
        """Trust, familiarity and shared topics."""
        told = await self._moods.tell(call.scope)
        return pb.GetRelationshipResponse(relationship=wire.write_relationship(told.relationship))

    async def correct_mood(self, call: Call, request: pb.CorrectMoodRequest) -> pb.CorrectMoodResponse:
        """Makes the mood what the user says it is."""
        told = await self._moods.correct_mood(
            call.scope,
            valence=_given(request, "valence"),
            arousal=_given(request, "arousal"),
            request_id=request.request_id,
        )
        return pb.CorrectMoodResponse(mood=wire.write_mood(told.mood))

    async def update_relationship(
        self, call: Call, request: pb.UpdateRelationshipRequest
    ) -> pb.UpdateRelationshipResponse:
        """Makes trust and familiarity what the user says they are."""
        told = await self._moods.update_relationship(
            call.scope,
            trust=_given(request, "trust"),
            familiarity=_given(request, "familiarity"),
            request_id=request.request_id,
        )
        return pb.UpdateRelationshipResponse(relationship=wire.write_relationship(told.relationship))

    async def forget_trigger(self, call: Call, request: pb.ForgetTriggerRequest) -> pb.ForgetTriggerResponse:
        """Forgets a topic."""
        found = await self._moods.forget_trigger(call.scope, request.topic, request_id=request.request_id)
        return pb.ForgetTriggerResponse(forgotten=found)

    async def reset_emotions(self, call: Call, request: pb.ResetEmotionsRequest) -> pb.ResetEmotionsResponse:
        """Deletes all that is kept."""
        return pb.ResetEmotionsResponse(turns=await self._moods.reset(call.scope, request_id=request.request_id))


def _given(request: Any, field: str) -> float | None:
    return getattr(request, field) if request.HasField(field) else None
