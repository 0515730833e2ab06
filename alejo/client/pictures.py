"""The calls of a server that are about pictures."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from alejo.types import Image, Memory, Percept
from alejo.v1 import vision_pb2, vision_pb2_grpc
from alejo.wire import read

from .requests import new_request_id

_PART = 256 << 10  # bytes of a picture that are sent at a time


class Pictures:
    """What `Client.pictures` is."""

    def __init__(self, call: Callable[[Any, Any], Awaitable[Any]], stub: vision_pb2_grpc.VisionServiceStub) -> None:
        self._call = call
        self._stub = stub

    async def see(
        self, image: Image, *, session_id: str = "", look_only: bool = False, request_id: str = ""
    ) -> tuple[Percept, Memory | None]:
        """Has a picture looked at, and what was seen remembered unless it is `look_only`.

        Raises InvalidArgument for what is no acceptable picture. It joins the messages of a session where one is named.
        """
        head = vision_pb2.ImageHead(
            request_id=request_id or new_request_id(),
            size=len(image.data),
            session_id=session_id,
            media_type=image.media_type,
            caption=image.caption,
            look_only=look_only,
        )

        async def requests() -> AsyncIterator[Any]:
            yield vision_pb2.UploadImageRequest(head=head, data=image.data[:_PART])
            for start in range(_PART, len(image.data), _PART):
                yield vision_pb2.UploadImageRequest(data=image.data[start : start + _PART])

        response = await self._call(self._stub.UploadImage, requests())
        kept = read.memory(response.memory) if response.HasField("memory") else None
        return read.percept(response.percept), kept

    async def similar(
        self, memory_id: str = "", perceptual_hash: str = "", *, distance: int | None = None, limit: int = 10
    ) -> list[tuple[Memory, int]]:
        """The memories of pictures like that of a memory, or like a hash, with the bits they differ in, nearest first.

        Raises NotFound, or InvalidArgument for a memory that is of no picture.
        """
        request = vision_pb2.FindSimilarRequest(
            memory_id=memory_id, perceptual_hash=perceptual_hash, distance=distance, limit=limit
        )
        response = await self._call(self._stub.FindSimilar, request)
        return [(read.memory(one.memory), one.distance) for one in response.similar]
