"""A client of a server: the same words as the library, over gRPC.

    async with connect("unix:/path/of/alejo.sock") as client:
        answer = await client.chat(Ask("Hello"))

Every write carries a request id, so a call that did not reach the server is sent again without doing anything twice.
"""

from __future__ import annotations

from .client import Client, connect, in_clear
from .errors import NOT_REACHABLE
from .requests import new_request_id
from .talk import Talk

__all__ = ["NOT_REACHABLE", "Client", "Talk", "connect", "in_clear", "new_request_id"]
