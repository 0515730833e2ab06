"""Plugins: found by their metadata, tried in a child process, loaded one by one, called so that none does harm."""

from .host import PluginHost, Slot

__all__ = ["PluginHost", "Slot"]
