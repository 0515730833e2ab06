"""LearningService."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from alejo.v1 import learning_pb2 as pb
from alejo.wire import lessons, read

from .parts import parts

if TYPE_CHECKING:
    from alejo.learning import Learning

    from .call import Call


class LearningCalls:
    """What was learned, over the wire."""

    def __init__(self, learning: Learning) -> None:
        self._learning = learning

    async def get_learning(self, call: Call, request: pb.GetLearningRequest) -> pb.GetLearningResponse:
        """What was learned so far."""
        return lessons.write_learnt(await self._learning.statistics(call.scope))

    async def list_learning_log(self, call: Call, request: pb.ListLearningLogRequest) -> pb.ListLearningLogResponse:
        """What each stage made of each session."""
        found, token = await self._learning.log(call.scope, read.page(request))
        return pb.ListLearningLogResponse(entries=map(lessons.write_entry, found), next_page_token=token)

    async def export_pairs(
        self, call: Call, request: pb.ExportPairsRequest
    ) -> AsyncGenerator[pb.ExportPairsResponse, None]:
        """Questions with their answers."""
        personal = not request.without_personal_data
        export = self._learning.export(call.scope, lessons.form(request.form), personal=personal)
        async with aclosing(export) as lines, aclosing(parts(lines)) as several:
            async for part in several:
                yield pb.ExportPairsResponse(data=part)

    async def list_weights(self, call: Call, request: pb.ListWeightsRequest) -> pb.ListWeightsResponse:
        """The weights that were promoted."""
        return lessons.write_promoted(await self._learning.promoted(call.scope))

    async def roll_back_weights(self, call: Call, request: pb.RollBackWeightsRequest) -> pb.RollBackWeightsResponse:
        """Goes back to other weights."""
        number = request.number if request.HasField("number") else None
        used = await self._learning.weights.roll_back(call.scope, number, request_id=request.request_id)
        return pb.RollBackWeightsResponse(in_use=used.number)

    async def roll_back_shared_weights(
        self, call: Call, request: pb.RollBackSharedWeightsRequest
    ) -> pb.RollBackSharedWeightsResponse:
        """Goes back to other weights for all who share."""
        number = request.number if request.HasField("number") else None
        used = await self._learning.roll_back_shared(call.scope, number, request_id=request.request_id)
        return pb.RollBackSharedWeightsResponse(in_use=used.number)
