"""Plugins: found by their metadata, tried in a child process, loaded one by one, called so that none does harm."""

from .arguments import check_arguments, reworded, spoken
from .discovery import Candidate
from .host import PluginHost
from .leaving import LOCAL, REMOTE, USER, WORLD, cleared, stands
from .slots import Slot
from .switches import FILE as SWITCHES

__all__ = [
    "LOCAL",
    "REMOTE",
    "SWITCHES",
    "USER",
    "WORLD",
    "Candidate",
    "PluginHost",
    "Slot",
    "check_arguments",
    "cleared",
    "reworded",
    "spoken",
    "stands",
]
