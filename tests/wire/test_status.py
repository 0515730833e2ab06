"""From errors to google.rpc.Status and back."""

from __future__ import annotations

import inspect

import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, QuotaFailure, ResourceInfo, RetryInfo

from alejo import errors
from alejo.errors import AlejoError
from alejo.v1 import types_pb2
from alejo.wire import status

EVERY: list[AlejoError] = [
    errors.InvalidArgument("Two are wrong.", [("a.b", "is required"), ("c[0]", "is not")]),
    errors.Cancelled("Stopped."),
    errors.Unauthenticated("No key.", reason="KEY_INVALID"),
    errors.PermissionDenied("No."),
    errors.NotFound("memory", "0" * 32),
    errors.AlreadyExists("Used."),
    errors.Conflict("Changed."),
    errors.FailedPrecondition("Ended."),
    errors.ResourceExhausted("Too many.", retry_after=0.25, subject="calls"),
    errors.StorageFull("Full.", retry_after=60.0, subject="disk"),
    errors.Unimplemented("None."),
    errors.DeadlineExceeded("Late."),
    errors.Unavailable("Later.", retry_after=1.5),
    errors.DataLoss("Altered."),
    errors.PluginFailed("mine", "brain", "timeout"),
    errors.ModelFailed("rate_limited", "gpt", detail="429", retry_after=7.5),
    AlejoError("internal error, ref 0"),
]


def test_every_error_is_here() -> None:
    """The list below tests each class of errors.py that can reach a client."""
    leaves = {one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, AlejoError)}
    assert {type(one) for one in EVERY} == leaves - {errors.StartupError}


@pytest.mark.parametrize("error", EVERY, ids=lambda one: type(one).__name__)
def test_an_error_comes_through(error: AlejoError) -> None:
    """Class, message, reason and particulars of an error are the same for a client, by status and by failure frame."""
    sent = status.status(error)
    frame = status.failure(error)
    assert (frame.code, frame.message, list(frame.details)) == (sent.code, sent.message, list(sent.details))
    for one in (sent, types_pb2.Failure.FromString(frame.SerializeToString())):
        got = status.error(one.code, one.message, one.details)
        assert type(got) is type(error)
        assert vars(got) | {"reason": got.reason} == vars(error) | {"reason": error.reason}
        assert got.message == error.message


@pytest.mark.parametrize("error", EVERY, ids=lambda one: type(one).__name__)
def test_the_details_are_the_standard_ones(error: AlejoError) -> None:
    """ErrorInfo comes first, once, with our domain and an UPPER_SNAKE reason; the others once each, as they fit."""
    sent = status.status(error)
    info = ErrorInfo()
    assert sent.details[0].Unpack(info)
    assert info.domain == "alejo.dev"
    assert info.reason.replace("_", "").isupper()
    assert len(info.reason) <= 63
    expected = {
        BadRequest: isinstance(error, errors.InvalidArgument),
        ResourceInfo: isinstance(error, errors.NotFound),
        RetryInfo: isinstance(
            error, errors.ResourceExhausted | errors.Unavailable | errors.PluginFailed | errors.ModelFailed
        ),
        QuotaFailure: isinstance(error, errors.ResourceExhausted),
    }
    names = [one.TypeName() for one in sent.details[1:]]
    assert sorted(names) == sorted(kind.DESCRIPTOR.full_name for kind, wanted in expected.items() if wanted)


def test_a_bare_status_is_an_error_too() -> None:
    """A status without details, from a proxy or gRPC itself, becomes the error of its code."""
    for code, kind in ((14, errors.Unavailable), (5, errors.NotFound), (8, errors.ResourceExhausted), (2, AlejoError)):
        got = status.error(code, "a proxy says so")
        assert type(got) is kind
