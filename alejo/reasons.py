"""Every reason an error may give, what it means and what to do about it: the table that docs/errors.md is made from.

A reason is the stable word of an error: ErrorInfo.reason on the wire, `AlejoError.reason` in Python. Its status is that
of the class that carries it.
"""

from __future__ import annotations

import enum

import msgspec

from alejo import errors
from alejo.errors import AlejoError, Status


class Retry(enum.Enum):
    """Whether the same request, with the same request id, may be sent again."""

    ITSELF = "by itself: the service config does it"
    YES = "yes"
    AFTER_DELAY = "yes, after the delay"
    AFTER_READING = "after reading again"
    NO = "no"


class Reason(msgspec.Struct, frozen=True):
    """A reason: the class that carries it, what happened, what to do, and who says so.

    `said_by` is "server", "client" (the Python client), "plugin" (to a plugin) or "command" (the command line).
    """

    name: str
    error: type[AlejoError]
    meaning: str
    advice: str
    retry: Retry = Retry.NO
    said_by: str = "server"

    @property
    def status(self) -> Status:
        """The gRPC status it comes with."""
        return self.error.status


_REASONS = (
    Reason(
        "INVALID_FIELD",
        errors.InvalidArgument,
        "Fields of the request are wrong. BadRequest names each and what is wrong with it.",
        "Correct what is named.",
    ),
    Reason(
        "MALFORMED",
        errors.InvalidArgument,
        "The bytes are no message of this method.",
        "Generate the client's code again from this server's .proto files.",
    ),
    Reason(
        "KEY_REQUIRED",
        errors.Unauthenticated,
        "There is no key.",
        "Make one with `alejo keys add NAME` and send it as metadata `authorization: Bearer KEY`.",
    ),
    Reason(
        "KEY_INVALID",
        errors.Unauthenticated,
        "The key is not known, or no longer. An unknown, a mistyped and a revoked key are told alike.",
        "Look at `alejo keys list` where the server runs; make a new key.",
    ),
    Reason(
        "KEY_EXPIRED",
        errors.Unauthenticated,
        "The key had an end, which has passed.",
        "Make another: `alejo keys add NAME --expires 30d`.",
    ),
    Reason(
        "WRONG_SCOPE",
        errors.PermissionDenied,
        "The key is good, and its scopes do not allow this call.",
        "Use a key that may: docs/api.md says of each call what it needs, `alejo keys add NAME --scope …` makes one.",
    ),
    Reason(
        "WRONG_USER",
        errors.PermissionDenied,
        "The key is bound to a user, and `x-alejo-user` names another one.",
        "Leave `x-alejo-user` out, or use a key that is bound to no user.",
    ),
    Reason(
        "NOT_FOUND",
        errors.NotFound,
        "This user has nothing by that identifier. ResourceInfo says what was sought. Others' things are told alike.",
        "List what there is; treat it as gone.",
    ),
    Reason(
        "REQUEST_ID_REUSED",
        errors.AlreadyExists,
        "The request id was used before with another body.",
        "Make a new request id for every new request; keep it for sending the same one again.",
    ),
    Reason(
        "CHANGED_MEANWHILE",
        errors.Conflict,
        "Somebody else changed it since it was read.",
        "Read it again, and decide anew.",
        Retry.AFTER_READING,
    ),
    Reason(
        "PREVIEW_CHANGED",
        errors.Conflict,
        "What would be forgotten has changed since it was previewed; nothing was forgotten.",
        "Look at a new preview, and decide anew.",
        Retry.AFTER_READING,
    ),
    Reason(
        "RECORDS_IN_USE",
        errors.FailedPrecondition,
        "Another process has the data folder open, so its files cannot be made anew.",
        "End the other processes, or wait for their end: a second server, a program, a backup.",
    ),
    Reason(
        "WRONG_STATE",
        errors.FailedPrecondition,
        "Not possible in the state it is in, for example speaking in a session that is completed.",
        "Look at the state; docs/architecture.md draws a session's.",
    ),
    Reason(
        "QUOTA_EXCEEDED",
        errors.ResourceExhausted,
        "A limit was reached; nothing was done. QuotaFailure says which limit.",
        "Wait as long as RetryInfo says, and make fewer calls at a time.",
        Retry.AFTER_DELAY,
    ),
    Reason(
        "OVERLOADED",
        errors.ResourceExhausted,
        "The server has more calls than it can answer; nothing was done. Health is still answered.",
        "Wait as long as RetryInfo says, and longer each time.",
        Retry.AFTER_DELAY,
    ),
    Reason(
        "QUEUE_FULL",
        errors.ResourceExhausted,
        "The queue holds as many jobs as it may, of this user or of all; nothing was done. A turn never says so.",
        "Wait until some are done.",
        Retry.AFTER_DELAY,
    ),
    Reason(
        "LEASE_LOST",
        errors.Conflict,
        "The job was handed to somebody else, as its lease had ended; nothing of the batch was kept.",
        "Nothing: it is done elsewhere.",
    ),
    Reason(
        "STORAGE_FULL",
        errors.StorageFull,
        "There is no room for writes. Reading, forgetting and deleting work.",
        "Free space where the server runs; `alejo doctor` says how much there is.",
        Retry.AFTER_DELAY,
    ),
    Reason(
        "DEADLINE_EXCEEDED",
        errors.DeadlineExceeded,
        "The call took longer than the client's deadline or the server's limit. It may have been done all the same.",
        "Send the same request id again: what was done is told, not done twice. Give the call more time.",
        Retry.YES,
    ),
    Reason(
        "NO_MESSAGE",
        errors.DeadlineExceeded,
        "The call began, and its first message did not come within `limits.first_message_seconds`. Nothing was done.",
        "Open a stream when there is something to send.",
        Retry.YES,
    ),
    Reason(
        "UNAVAILABLE",
        errors.Unavailable,
        "It cannot be done now: the turn or the session is busy elsewhere, or the disk does not answer.",
        "Send it again with the same request id, after the delay.",
        Retry.ITSELF,
    ),
    Reason(
        "DRAINING",
        errors.Unavailable,
        "The server is about to stop and takes no more calls.",
        "Send it again with the same request id, after the delay: to this server when it is back, or to another.",
        Retry.ITSELF,
    ),
    Reason(
        "PLUGIN_FAILED",
        errors.PluginFailed,
        "The plugin that had to answer is missing, failed or took too long. ErrorInfo.metadata says which, and `why`.",
        "Look at `alejo plugins list`. A role that is vacant stays so until a plugin is installed.",
        Retry.ITSELF,
    ),
    Reason(
        "MODEL_FAILED",
        errors.ModelFailed,
        "No language model gave an answer that can be used, and there was nobody to answer in its place.",
        "Look at the model's endpoint and the settings model.*; a brain that lets this pass has no answer of its own.",
        Retry.ITSELF,
    ),
    Reason(
        "PLUGIN_DISABLED",
        errors.FailedPrecondition,
        "The plugin is switched off: by an operator, or by the setting plugins.disabled. The message says which.",
        "`alejo plugins enable NAME`, or take it out of the setting and start the server again.",
    ),
    Reason(
        "PLUGIN_REJECTED",
        errors.FailedPrecondition,
        "The plugin as it is installed now was not let in; the message says why. One that was at work before goes on.",
        "Mend it as the message says (`alejo plugins check` says more), then reload it.",
    ),
    Reason(
        "PLUGIN_IN_USE",
        errors.FailedPrecondition,
        "The plugin holds the storage that is open, so it can be neither disabled nor reloaded.",
        "Change data.storage and start the server again.",
    ),
    Reason(
        "JOB_NOT_DEAD",
        errors.FailedPrecondition,
        "The job is no dead letter, so there is nothing to decide on it.",
        "GetJob tells where it stands.",
    ),
    Reason(
        "NOT_REACHABLE",
        errors.Unavailable,
        "No server answers at the address. Said without the server, so there are no details.",
        "Look whether it runs (`alejo doctor`) and whether address and TLS are right.",
        Retry.ITSELF,
        "client",
    ),
    Reason(
        "CANCELLED",
        errors.Cancelled,
        "The client stopped the turn. The user's message is kept; there is no answer.",
        "Nothing. The same request id would answer it after all.",
    ),
    Reason(
        "UNKNOWN_METHOD",
        errors.Unimplemented,
        "This server has no such method.",
        "Compare the versions: `alejo.v1.AdminService/GetInfo` tells the server's.",
    ),
    Reason(
        "RECORD_REFUSED",
        errors.DataLoss,
        "A stored record was altered or cannot be opened, and was not used.",
        "Run `alejo doctor` where the server runs; restore a backup.",
    ),
    Reason(
        "INTERNAL",
        AlejoError,
        "A fault of the server. The message carries a reference that stands in the server's log beside the cause.",
        "Report it with the log's lines of that reference.",
    ),
    Reason(
        "TURN_OVER",
        errors.FailedPrecondition,
        "A plugin used `turn.desk` after its call had ended.",
        "Await everything before the method returns.",
        said_by="plugin",
    ),
    Reason(
        "FILE_REFUSED",
        errors.InvalidArgument,
        "A file to import is not as its format says. The message names file, place and fault.",
        "Correct the place, or name the format with `--format`.",
        said_by="command",
    ),
    Reason(
        "CANNOT_START",
        errors.StartupError,
        "The process cannot start; the sentence says why.",
        "Follow the line below it, which names the command that helps.",
        said_by="command",
    ),
)

REASONS = {reason.name: reason for reason in _REASONS}
