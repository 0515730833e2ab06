"""Conversations: a turn from the user's message to its durable answer."""

from __future__ import annotations

from alejo.conversation.conversation import Conversation

__all__ = ["Conversation"]
