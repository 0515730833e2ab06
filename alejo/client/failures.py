"""What a call's failure means: a gRPC status and its details as an error of `alejo.errors`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as Detail
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

from alejo import errors

_DETAILS = "grpc-status-details-bin"
_PLAIN: dict[int, type[errors.AlejoError]] = {
    errors.Status.UNAUTHENTICATED: errors.Unauthenticated,
    errors.Status.PERMISSION_DENIED: errors.PermissionDenied,
    errors.Status.ALREADY_EXISTS: errors.AlreadyExists,
    errors.Status.ABORTED: errors.Conflict,
    errors.Status.FAILED_PRECONDITION: errors.FailedPrecondition,
    errors.Status.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
    errors.Status.DATA_LOSS: errors.DataLoss,
}
NOT_REACHABLE = "NOT_REACHABLE"


def of_call(error: grpc.aio.AioRpcError, target: str) -> errors.AlejoError:
    """The error of a call to `target` that ended with a status."""
    code = int(error.code().value[0])
    packed = next((value for name, value in error.trailing_metadata() or () if name == _DETAILS), b"")
    details = status_pb2.Status.FromString(packed if isinstance(packed, bytes) else b"").details
    if code in {errors.Status.UNAVAILABLE, errors.Status.CANCELLED} and not details:
        # The server names a reason with every status of its own: this one was made on the way.
        return errors.Unavailable(f"No server answers at {target}.", reason=NOT_REACHABLE)
    if code == errors.Status.UNIMPLEMENTED:
        return errors.AlejoError(f"What answers at {target} does not offer this call.", reason="UNIMPLEMENTED")
    if code == errors.Status.DEADLINE_EXCEEDED:
        return errors.DeadlineExceeded(f"The server at {target} did not answer in time.")
    return of_status(code, error.details() or "", details)


def of_status(code: int, message: str, details: Iterable[Detail]) -> errors.AlejoError:
    """The error of a status, by its code and details."""
    info, violations, retry_after = error_details_pb2.ErrorInfo(), [], 1.0
    for detail in details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            detail.Unpack(info)
        elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            request = error_details_pb2.BadRequest.FromString(detail.value)
            violations = [(violation.field, violation.description) for violation in request.field_violations]
        elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            retry_after = error_details_pb2.RetryInfo.FromString(detail.value).retry_delay.ToMilliseconds() / 1000
    reason = info.reason or None
    message = message or "The call failed."
    return _error(code, message, reason, violations, retry_after)


def _error(code: int, message: str, reason: str | None, violations: Any, retry_after: float) -> errors.AlejoError:
    if code == errors.Status.INVALID_ARGUMENT:
        return errors.InvalidArgument(message, violations, reason=reason)
    if code == errors.Status.RESOURCE_EXHAUSTED:
        kind = errors.StorageFull if reason == errors.StorageFull.reason else errors.ResourceExhausted
        return kind(message, retry_after=retry_after, reason=reason)
    if code == errors.Status.UNAVAILABLE:
        return errors.Unavailable(message, retry_after=retry_after, reason=reason)
    if code == errors.Status.NOT_FOUND:
        error = errors.NotFound("item", "")
        error.message, error.args = message, (message,)
        return error
    return _PLAIN.get(code, errors.AlejoError)(message, reason=reason)
