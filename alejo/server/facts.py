"""FactsService."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alejo.v1 import facts_pb2 as pb
from alejo.wire import read, write

if TYPE_CHECKING:
    from alejo.memory import Facts

    from .call import Call

_AROUND_USUAL, _AROUND_MOST = 50, 200


class FactsCalls:
    """What is known of whom, over the wire."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    async def add_fact(self, call: Call, request: pb.AddFactRequest) -> pb.AddFactResponse:
        """Adds a fact."""
        change = await self._facts.add(call.scope, read.fact_draft(request.fact), request_id=request.request_id)
        return pb.AddFactResponse(change=write.fact_change(change))

    async def correct_fact(self, call: Call, request: pb.CorrectFactRequest) -> pb.CorrectFactResponse:
        """Puts a fact in the place of another."""
        draft = read.fact_draft(request.fact)
        change = await self._facts.correct(call.scope, request.memory_id, draft, request_id=request.request_id)
        return pb.CorrectFactResponse(change=write.fact_change(change))

    async def restore_fact(self, call: Call, request: pb.RestoreFactRequest) -> pb.RestoreFactResponse:
        """Takes back what superseded a fact."""
        change = await self._facts.restore(call.scope, request.memory_id, request_id=request.request_id)
        return pb.RestoreFactResponse(change=write.fact_change(change))

    async def list_facts(self, call: Call, request: pb.ListFactsRequest) -> pb.ListFactsResponse:
        """The facts that pass."""
        found, token = await self._facts.list(
            call.scope,
            read.page(request),
            entity=request.entity,
            relation=request.relation,
            as_of=read.perhaps(request, "as_of"),
            known_at=read.perhaps(request, "known_at"),
            superseded=request.include_superseded,
        )
        return pb.ListFactsResponse(memories=[write.memory(one) for one in found], next_page_token=token)

    async def get_neighbourhood(self, call: Call, request: pb.GetNeighbourhoodRequest) -> pb.GetNeighbourhoodResponse:
        """What stands around an entity."""
        around = await self._facts.neighbourhood(
            call.scope,
            request.entity,
            depth=request.depth or 1,
            most=min(request.limit or _AROUND_USUAL, _AROUND_MOST),
            as_of=read.perhaps(request, "as_of"),
        )
        return write.neighbourhood(around)
