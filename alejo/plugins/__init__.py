"""Plugins: found by their metadata, tried in a child process, loaded one by one, called so that none does harm."""

from .arguments import check_arguments, spoken
from .discovery import Candidate
from .host import PluginHost
from .slots import Slot
from .switches import FILE as SWITCHES

__all__ = ["SWITCHES", "Candidate", "PluginHost", "Slot", "check_arguments", "spoken"]
