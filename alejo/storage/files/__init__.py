"""The `files:` backend: what people may read and edit as files, and the log that holds all else."""

from .edits import Refusal
from .storage import FilesStorage
from .tree import OWN

__all__ = ["OWN", "FilesStorage", "Refusal"]
