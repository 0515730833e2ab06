"""From errors to google.rpc.Status and back: one ErrorInfo always, then what belongs to the reason (AIP-193)."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message as ProtoMessage
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, QuotaFailure, ResourceInfo, RetryInfo
from google.rpc.status_pb2 import Status as RpcStatus

from alejo import errors
from alejo.errors import AlejoError, Status
from alejo.v1 import types_pb2

DOMAIN = "alejo.dev"


def retry_after(error: AlejoError) -> float | None:
    """Seconds after which the same request may be sent again, or None when that would not help."""
    if isinstance(error, errors.ResourceExhausted | errors.Unavailable | errors.ModelFailed):
        return error.retry_after
    if isinstance(error, errors.PluginFailed) and error.why != "vacant":
        return 1.0
    return None


def _details(error: AlejoError) -> Iterable[ProtoMessage]:
    info = ErrorInfo(reason=error.reason, domain=DOMAIN)
    if isinstance(error, errors.PluginFailed):
        info.metadata.update({"plugin": error.plugin, "role": error.role, "why": error.why})
    if isinstance(error, errors.ModelFailed):
        info.metadata.update({"model": error.model, "why": error.why, "detail": error.detail})
    yield info
    if isinstance(error, errors.InvalidArgument) and error.violations:
        yield BadRequest(
            field_violations=[
                BadRequest.FieldViolation(field=path, description=description) for path, description in error.violations
            ]
        )
    if isinstance(error, errors.NotFound):
        yield ResourceInfo(resource_type=error.kind, resource_name=error.name)
    if (wait := retry_after(error)) is not None:
        nanos = round(wait * 1e9)
        yield RetryInfo(retry_delay=Duration(seconds=nanos // 10**9, nanos=nanos % 10**9))
    if isinstance(error, errors.ResourceExhausted):
        yield QuotaFailure(violations=[QuotaFailure.Violation(subject=error.subject, description=error.message)])


def _packed(error: AlejoError) -> Iterable[Any]:
    for detail in _details(error):
        packed = Any()
        packed.Pack(detail)
        yield packed


def status(error: AlejoError) -> RpcStatus:
    """The status an error becomes."""
    return RpcStatus(code=int(error.status), message=error.message, details=list(_packed(error)))


def failure(error: AlejoError) -> types_pb2.Failure:
    """The frame an error becomes within a stream that goes on."""
    return types_pb2.Failure(code=int(error.status), message=error.message, details=list(_packed(error)))


_BY_STATUS: dict[int, type[AlejoError]] = {
    Status.CANCELLED: errors.Cancelled,
    Status.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
    Status.ALREADY_EXISTS: errors.AlreadyExists,
    Status.PERMISSION_DENIED: errors.PermissionDenied,
    Status.FAILED_PRECONDITION: errors.FailedPrecondition,
    Status.ABORTED: errors.Conflict,
    Status.UNIMPLEMENTED: errors.Unimplemented,
    Status.DATA_LOSS: errors.DataLoss,
    Status.UNAUTHENTICATED: errors.Unauthenticated,
}


def error(code: int, message: str, details: Iterable[Any] = ()) -> AlejoError:
    """The error a status or a failure frame stands for, with all its details said."""
    info, bad, resource, retry, quota = ErrorInfo(), BadRequest(), ResourceInfo(), RetryInfo(), QuotaFailure()
    for packed in details:
        for target in (info, bad, resource, retry, quota):
            packed.Unpack(target)  # does nothing to a target of another kind
    reason = info.reason or None
    wait = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
    match code:
        case Status.INVALID_ARGUMENT:
            violations = [(one.field, one.description) for one in bad.field_violations]
            return errors.InvalidArgument(message, violations, reason=reason)
        case Status.NOT_FOUND:
            return errors.NotFound(resource.resource_type or "thing", resource.resource_name)
        case Status.RESOURCE_EXHAUSTED:
            full = reason == errors.StorageFull.reason
            subject = quota.violations[0].subject if quota.violations else ""
            made = errors.StorageFull if full else errors.ResourceExhausted
            return made(message, retry_after=wait or 1.0, subject=subject, reason=reason)
        case Status.UNAVAILABLE if reason == errors.PluginFailed.reason:
            return errors.PluginFailed(*(info.metadata.get(name, "") for name in ("plugin", "role", "why")))
        case Status.UNAVAILABLE if reason == errors.ModelFailed.reason:
            why, model, detail = (info.metadata.get(name, "") for name in ("why", "model", "detail"))
            return errors.ModelFailed(why, model, detail=detail, retry_after=wait or None)
        case Status.UNAVAILABLE:
            return errors.Unavailable(message, retry_after=wait or 1.0, reason=reason)
    return _BY_STATUS.get(code, AlejoError)(message, reason=reason)
