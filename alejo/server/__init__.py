"""The server: an assistant on the network, over gRPC.

`gate` is what every call passes; `chat`, `sessions`, `memory`, `plugins` and `admin` are thin and answer; `listen` says
where and on what conditions; `run` starts and drains.
"""

from .run import Server, serve

__all__ = ["Server", "serve"]
