"""Requests that more than one call sends, each with a request id."""

from __future__ import annotations

import uuid

from alejo.types import Ask
from alejo.v1 import chat_pb2
from alejo.wire import write


def new_request_id() -> str:
    """A request id that nobody else makes."""
    return uuid.uuid4().hex


def chat(ask: Ask) -> chat_pb2.ChatRequest:
    """A turn's request."""
    request = write.ask(ask)
    request.request_id = ask.request_id or new_request_id()
    return request
