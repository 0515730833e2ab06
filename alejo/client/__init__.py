"""A client of a server: the same words as the library, over gRPC.

    async with connect("unix:/run/alejo.sock") as client:
        answer = await client.chat(Ask("Hello"))

Every write carries a request id, so a call that did not reach the server is sent again without doing anything twice.
"""

from .calls import Client, connect

__all__ = ["Client", "connect"]
