"""What recall found, encoded by hand, against the messages themselves."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from alejo.types import Degraded, Evidence, Hit, Layer, Memory
from alejo.v1 import memory_pb2 as pb
from alejo.wire import encoded, write

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
NUMBER = st.floats(allow_nan=False)
MEMORY = Memory("0" * 32, Layer.EPISODIC, "note", "", 1, 2)
MEMORIES = st.builds(lambda text, speaker: msgspec.structs.replace(MEMORY, text=text, speaker=speaker), TEXT, TEXT)
HITS = st.builds(
    Hit, MEMORIES, NUMBER, NUMBER, st.lists(st.builds(Evidence, TEXT, NUMBER, TEXT), max_size=4).map(tuple)
)


@given(st.lists(HITS, max_size=4), TEXT, st.booleans())
def test_bytes_say_what_messages_say(hits: list[Hit], token: str, missing: bool) -> None:
    """An answer and a frame are read as the messages that hold the same."""
    degraded = [Degraded("memory")] if missing else []
    wanted = pb.RecallResponse(
        hits=[write.hit(one) for one in hits], next_page_token=token, degraded=write.degraded(degraded)
    )
    found = encoded.recalled(hits, token)
    assert pb.RecallResponse.FromString(encoded.answer(found, degraded).SerializeToString()) == wanted
    frame = pb.RecallStreamResponse.FromString(encoded.frame(found, degraded).SerializeToString())
    assert frame == pb.RecallStreamResponse(recalled=wanted)


def test_nothing_found_is_an_answer() -> None:
    """A frame without hits says that nothing was found, not nothing at all."""
    frame = pb.RecallStreamResponse.FromString(encoded.frame(encoded.recalled([], ""), ()).SerializeToString())
    assert frame.HasField("recalled")
