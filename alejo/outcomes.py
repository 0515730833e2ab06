"""What came of looking after a user's records as a whole, or would come of it."""

from __future__ import annotations

from alejo.types import Memory, Value


class Tidied(Value, frozen=True):
    """What was done when a user's memories were looked after. `done` is False where something is left for later.

    `differences` are memories that the index knew otherwise than they are stored.
    """

    weighed: int = 0
    merged: int = 0
    promoted: int = 0
    archived: int = 0
    summaries: int = 0
    forgotten: int = 0
    done: bool = True
    differences: int = 0


class ErasePreview(Value, frozen=True):
    """What erasing a user would take, rows by table; the token that stands for it, empty when there is nothing."""

    counts: dict[str, int]
    token: str = ""


class Receipt(Value, frozen=True):
    """That a user was erased: whose data keys, by their fingerprints, were destroyed when, with what, rows by table.

    `seal` is by which the folder knows it again.
    """

    tenant: str
    user: str
    erased_at: int
    keys: tuple[str, ...]
    counts: dict[str, int]
    seal: str = ""


class Preview(Value, frozen=True):
    """What would be forgotten: the memories that match, what falls with them, and how many messages lose their words.

    `token` stands for exactly these; a forgetting that is given it is refused when one of them has changed since.
    """

    memories: tuple[Memory, ...]
    falling: tuple[Memory, ...]
    messages: int
    token: str
    more: bool = False


class Tally(Value, frozen=True):
    """What became of an export's lines so far, by type: added, there already, or forgotten here and staying away.

    `ended` says that the last line has come.
    """

    added: dict[str, int] = {}
    there: dict[str, int] = {}
    forgotten: dict[str, int] = {}
    ended: bool = False
