"""Between the wire and the values: the only place that knows both.

`rules` checks a request against the limits its .proto file states, `read` turns messages into values, `write` values
into messages, and `status` errors into google.rpc.Status and back.
"""

from alejo.wire import read, rules, status, write

__all__ = ["read", "rules", "status", "write"]
