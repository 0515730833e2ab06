"""The command line. `main` is the console script; a command's module is imported when it runs."""

from .root import main

__all__ = ["main"]
