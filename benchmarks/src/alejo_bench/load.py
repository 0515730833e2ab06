"""A closed-loop gRPC load: so many calls under way at once, each followed by the next."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import grpc
import msgspec

Metadata = Sequence[tuple[str, str]]

_PAUSE = 0.05  # seconds


class Caller(msgspec.Struct, frozen=True):
    """One loop of the load: the message it sends again and again, as bytes, and the metadata with it."""

    request: bytes
    metadata: Metadata = ()


class Load(msgspec.Struct, frozen=True):
    """What a round measured: calls, calls per second, the median latency in seconds."""

    calls: int
    rate: float
    p50: float


async def closed_loop(address: str, method: str, callers: Sequence[Caller], seconds: float) -> Load:
    """Each caller calls `method` in a loop for `seconds`. Messages cross as bytes, so that the client stays light.

    What a server with too much to do refuses is no answer, and is sent again a little later.
    """
    latencies: list[float] = []
    async with grpc.aio.insecure_channel(address) as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
        await call(callers[0].request, metadata=callers[0].metadata)  # connecting is not part of the measurement

        async def loop(caller: Caller, end: float) -> None:
            while (begin := time.perf_counter()) < end:
                try:
                    await call(caller.request, metadata=caller.metadata)
                except grpc.aio.AioRpcError as refused:
                    if refused.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                        raise
                    await asyncio.sleep(_PAUSE)
                    continue
                latencies.append(time.perf_counter() - begin)

        start = time.perf_counter()
        await asyncio.gather(*(loop(caller, start + seconds) for caller in callers))
        took = time.perf_counter() - start
    return Load(len(latencies), len(latencies) / took, sorted(latencies)[len(latencies) // 2])
