"""Every error that crosses a boundary of ALEJO.

The tree; each leaf knows the gRPC status it becomes:

    AlejoError
    ├── InvalidArgument      INVALID_ARGUMENT     a field is wrong; names it
    ├── Cancelled            CANCELLED            the caller stopped it
    ├── Unauthenticated      UNAUTHENTICATED      no key, or one that is not known
    ├── PermissionDenied     PERMISSION_DENIED    the key may not do this
    ├── NotFound             NOT_FOUND            nothing by that name for this user
    ├── AlreadyExists        ALREADY_EXISTS       a request id used again with another body
    ├── Conflict             ABORTED              somebody else changed it in between
    ├── FailedPrecondition   FAILED_PRECONDITION  not allowed in this state
    ├── ResourceExhausted    RESOURCE_EXHAUSTED   a limit was reached; says when to retry
    │   └── StorageFull                           no room for writes; reads and deletes work
    ├── Unimplemented        UNIMPLEMENTED        this server has no such method
    ├── DeadlineExceeded     DEADLINE_EXCEEDED    the time budget ran out
    ├── Unavailable          UNAVAILABLE          cannot be done now; retry is safe
    ├── DataLoss             DATA_LOSS            a record was altered or cannot be opened
    ├── PluginFailed         UNAVAILABLE          a plugin raised, hung or is missing
    ├── ModelFailed          UNAVAILABLE          a language model gave no answer; says why
    └── StartupError         (none)               the process cannot start; carries the hint that helps
"""

from __future__ import annotations

import enum
from collections.abc import Sequence


class Status(enum.IntEnum):
    """The gRPC status codes ALEJO uses, with their numbers on the wire."""

    CANCELLED = 1
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


DRAINING = "DRAINING"  # the reason of every call that a server refuses or ends because it stops


class AlejoError(Exception):
    """The root. `message` is one sentence a client may see; `reason` a stable UPPER_SNAKE word."""

    status = Status.INTERNAL
    reason = "INTERNAL"

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if reason is not None:
            self.reason = reason


class InvalidArgument(AlejoError):
    """One or more fields are wrong. `violations` pairs each field's path with what is wrong with it."""

    status = Status.INVALID_ARGUMENT
    reason = "INVALID_FIELD"

    def __init__(self, message: str, violations: Sequence[tuple[str, str]] = (), *, reason: str | None = None) -> None:
        super().__init__(message, reason=reason)
        self.violations = tuple(violations)

    @classmethod
    def field(cls, path: str, description: str) -> InvalidArgument:
        """The error of a single field."""
        return cls(f"{path}: {description}", [(path, description)])


class Cancelled(AlejoError):
    """The caller stopped it."""

    status = Status.CANCELLED
    reason = "CANCELLED"


class Unauthenticated(AlejoError):
    """No key, or one that is not known. Says the same in every case."""

    status = Status.UNAUTHENTICATED
    reason = "KEY_REQUIRED"


class PermissionDenied(AlejoError):
    """The key is known and may not do this."""

    status = Status.PERMISSION_DENIED
    reason = "WRONG_SCOPE"


class NotFound(AlejoError):
    """Nothing by that name for this user."""

    status = Status.NOT_FOUND
    reason = "NOT_FOUND"

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"There is no such {kind}.")
        self.kind = kind
        self.name = name


class AlreadyExists(AlejoError):
    """The request id was used before with another body."""

    status = Status.ALREADY_EXISTS
    reason = "REQUEST_ID_REUSED"


class Conflict(AlejoError):
    """The record changed since it was read."""

    status = Status.ABORTED
    reason = "CHANGED_MEANWHILE"


class FailedPrecondition(AlejoError):
    """Not allowed in the present state."""

    status = Status.FAILED_PRECONDITION
    reason = "WRONG_STATE"


class ResourceExhausted(AlejoError):
    """A limit was reached. `retry_after` is in seconds; `subject` names who is limited, without content."""

    status = Status.RESOURCE_EXHAUSTED
    reason = "QUOTA_EXCEEDED"

    def __init__(self, message: str, *, retry_after: float = 1.0, subject: str = "", reason: str | None = None) -> None:
        super().__init__(message, reason=reason)
        self.retry_after = retry_after
        self.subject = subject


class StorageFull(ResourceExhausted):
    """No room for writes. Reads and deletes still work."""

    reason = "STORAGE_FULL"


class Unimplemented(AlejoError):
    """This server has no such method."""

    status = Status.UNIMPLEMENTED
    reason = "UNKNOWN_METHOD"


class DeadlineExceeded(AlejoError):
    """The time budget ran out."""

    status = Status.DEADLINE_EXCEEDED
    reason = "DEADLINE_EXCEEDED"


class Unavailable(AlejoError):
    """Cannot be done now; the same request may be sent again after `retry_after` seconds."""

    status = Status.UNAVAILABLE
    reason = "UNAVAILABLE"

    def __init__(self, message: str, *, retry_after: float = 1.0, reason: str | None = None) -> None:
        super().__init__(message, reason=reason)
        self.retry_after = retry_after


class DataLoss(AlejoError):
    """A record was altered, swapped or cannot be opened; it is refused, never served."""

    status = Status.DATA_LOSS
    reason = "RECORD_REFUSED"


class PluginFailed(AlejoError):
    """A plugin raised, hung or is missing. `why` is the stable word that `degraded` carries."""

    status = Status.UNAVAILABLE
    reason = "PLUGIN_FAILED"

    def __init__(self, plugin: str, role: str, why: str) -> None:
        super().__init__(f"The {role} plugin could not answer ({why}).")
        self.plugin = plugin
        self.role = role
        self.why = why


class ModelFailed(AlejoError):
    """A language model gave no answer that can be used. `why` is the stable word that `degraded` carries:

    "rate_limited", "unavailable", "timeout", "cut" (it stopped in the middle), "invalid" (not what it was asked for),
    "rejected" (it did not accept the request), "refused" (it would not answer), "resting" (it failed too often),
    "budget" (the user has used up theirs), "too_long" (what it was to be asked has more tokens than it may), "withheld"
    (the conscience could not say what of it may leave).
    `retry_after` is in seconds, None where waiting does not help.
    """

    status = Status.UNAVAILABLE
    reason = "MODEL_FAILED"

    def __init__(self, why: str, model: str = "", *, detail: str = "", retry_after: float | None = None) -> None:
        super().__init__(f"The language model {model or 'that was asked'} gave no answer ({detail or why}).")
        self.why = why
        self.model = model
        self.detail = detail
        self.retry_after = retry_after


class StartupError(AlejoError):
    """The process cannot start. `hint` is the sentence or command that helps; `exit_code` ends the command line."""

    status = Status.FAILED_PRECONDITION
    reason = "CANNOT_START"

    def __init__(self, message: str, *, hint: str = "", exit_code: int = 1) -> None:
        super().__init__(message)
        self.hint = hint
        self.exit_code = exit_code
