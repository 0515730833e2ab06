"""The commands every ALEJO has. Each is offered to other brains as well."""

from __future__ import annotations

from collections.abc import Sequence

from alejo.roles import Command

from .calculate import Calculate
from .date import Date
from .guide import Help
from .listing import List
from .memories import Correct, Forget, Recall, Remember
from .mood import HowYouFeel
from .person import AboutMe, Prefer
from .remind import Dismiss, Remind
from .session import Summarize, Why

__all__ = ["COMMANDS"]

_BUILT_IN: tuple[Command, ...] = (
    Remember(),
    Recall(),
    Forget(),
    Correct(),
    List(),
    Summarize(),
    Prefer(),
    AboutMe(),
    HowYouFeel(),
    Why(),
    Remind(),
    Dismiss(),
    Calculate(),
    Date(),
)
COMMANDS: Sequence[Command] = (*_BUILT_IN, Help(_BUILT_IN))
