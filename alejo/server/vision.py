"""VisionService."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from alejo.errors import DeadlineExceeded, InvalidArgument, ResourceExhausted
from alejo.memory.pictures import NEAR, PictureDraft
from alejo.types import Image
from alejo.v1 import vision_pb2 as pb
from alejo.wire import read, rules, write

from .inbox import FRAMES, Inbox

if TYPE_CHECKING:
    from alejo.conversation.uploads import Uploads

    from .call import Call

_ROOM = 128 << 20  # bytes of all pictures that are coming in
_SECONDS = 120.0  # that one may take to come
_KEPT = 3_145_728  # bytes of a picture that joins a session
_USUAL = 10


class VisionCalls:
    """What is in pictures, over the wire."""

    def __init__(self, uploads: Uploads) -> None:
        self._uploads = uploads
        self._taken = 0

    async def upload_image(
        self, call: Call, inbox: Inbox[pb.UploadImageRequest]
    ) -> AsyncGenerator[pb.UploadImageResponse, None]:
        """Looks at a picture once it is whole, and remembers what was seen."""
        frames = await inbox.take()
        if not frames:
            raise InvalidArgument("The call ended without a request.", reason="MALFORMED")
        rules.check(frames[0])
        head = _head(frames[0])
        self._take(head.size)
        try:
            data = await self._gather(inbox, frames[0], head.size)
            draft = PictureDraft(
                Image(data, head.media_type, head.caption),
                session_id=head.session_id,
                sent_at=read.perhaps(head, "sent_at"),
            )
            if head.look_only:
                yield pb.UploadImageResponse(percept=write.percept(await self._uploads.look(call.scope, draft)))
            else:
                yield write.uploaded(*await self._uploads.see(call.scope, draft, head.request_id))
        finally:
            self._taken -= head.size

    def _take(self, size: int) -> None:
        if self._taken + size > _ROOM:
            raise ResourceExhausted("Too many pictures are coming in.", retry_after=1.0)
        self._taken += size

    async def _gather(self, inbox: Inbox[pb.UploadImageRequest], first: pb.UploadImageRequest, size: int) -> bytes:
        """The whole picture. Raises InvalidArgument when it is longer or shorter than it was said to be."""
        gathered = bytearray(first.data)
        try:
            async with asyncio.timeout(_SECONDS):
                while len(gathered) <= size and (frames := await inbox.take(FRAMES)):
                    for frame in frames:
                        rules.check(frame)
                        if frame.HasField("head"):
                            raise InvalidArgument.field("head", "must be in the first request alone")
                        gathered += frame.data
        except TimeoutError:
            raise DeadlineExceeded("The picture did not come in time.") from None
        if len(gathered) != size:
            more = len(gathered) > size
            told = f"{'more than ' if more else ''}{size if more else len(gathered)} bytes came of {size}"
            raise InvalidArgument.field("data", told)
        return bytes(gathered)

    async def find_similar(self, call: Call, request: pb.FindSimilarRequest) -> pb.FindSimilarResponse:
        """The memories of like pictures."""
        found = await self._uploads.similar(
            call.scope,
            request.memory_id,
            request.perceptual_hash,
            request.distance if request.HasField("distance") else NEAR,
            request.limit or _USUAL,
        )
        return pb.FindSimilarResponse(
            similar=[pb.SimilarMemory(memory=write.memory(memory), distance=bits) for memory, bits in found]
        )


def _head(frame: pb.UploadImageRequest) -> pb.ImageHead:
    if not frame.HasField("head"):
        raise InvalidArgument.field("head", "is required in the first request")
    if frame.head.session_id and frame.head.size > _KEPT:
        raise InvalidArgument.field("head.size", f"must be at most {_KEPT:,} for a session")
    return frame.head
