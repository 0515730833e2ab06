"""What a status of a call means."""

from __future__ import annotations

import grpc
from google.rpc.status_pb2 import Status as RpcStatus

from alejo.errors import AlejoError, DeadlineExceeded, Status, Unavailable, Unimplemented
from alejo.v1 import types_pb2
from alejo.wire import status

NOT_REACHABLE = "NOT_REACHABLE"
_DETAILS = "grpc-status-details-bin"


def failure(frame: types_pb2.Failure) -> AlejoError:
    """What a failure frame of a stream that goes on means."""
    return status.error(frame.code, frame.message, frame.details)


def error_of(error: grpc.aio.AioRpcError, target: str) -> AlejoError:
    """What a call to `target` that ended with a status means."""
    code = int(error.code().value[0])
    packed = next((value for name, value in error.trailing_metadata() or () if name == _DETAILS), b"")
    details = RpcStatus.FromString(packed if isinstance(packed, bytes) else b"").details
    if details:
        return status.error(code, error.details() or "", details)
    # The server gives details with every status of its own: this one was made on the way.
    if code in {Status.UNAVAILABLE, Status.CANCELLED, Status.INTERNAL}:
        return Unavailable(f"No server answers at {target}.", reason=NOT_REACHABLE)
    if code == Status.DEADLINE_EXCEEDED:
        return DeadlineExceeded(f"The server at {target} did not answer in time.")
    if code == Status.UNIMPLEMENTED:
        return Unimplemented(f"What answers at {target} does not offer this call.")
    return status.error(code, error.details() or "The call failed.")
