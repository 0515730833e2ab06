"""The reader tesseract: the command of that name, given the picture on its standard input."""

from __future__ import annotations

import io
import subprocess
import time
from collections.abc import Iterable

from PIL import Image

from .reading import Reading, bounded

_LEAST = 0.1  # seconds that are worth a start
_WORD = 5  # the level of a row that is a word


class Tesseract:
    """Runs the command anew for each picture, within the limits of the process that runs it."""

    def __init__(self, path: str, language: str) -> None:
        self._command = (path, "stdin", "stdout", "-l", language, "--psm", "6", "--dpi", "150", "tsv")

    def read(self, picture: Image.Image, until: float) -> Reading:
        """What is written there; nothing, if there is no time for all of it. Raises OSError when it fails."""
        seconds = until - time.monotonic()
        if seconds < _LEAST:
            return Reading(complete=False)
        given = io.BytesIO()
        picture.save(given, "PPM")
        try:
            run = subprocess.run(  # noqa: S603  # nothing of the picture is among the arguments
                self._command, input=given.getvalue(), capture_output=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired:
            return Reading(complete=False)
        if run.returncode:
            raise OSError(f"tesseract ended with {run.returncode}")
        return _read(run.stdout.decode(errors="replace").splitlines()[1:])


def _read(rows: Iterable[str]) -> Reading:
    """The words of a table as `tesseract … tsv` writes it, by block, paragraph and line."""
    told: dict[tuple[str, ...], list[str]] = {}
    sure, count = 0.0, 0
    for row in rows:
        level, *place, confidence, word = row.split("\t")
        if int(level) == _WORD and word.strip():
            told.setdefault(tuple(place[:4]), []).append(word)
            sure += max(0.0, float(confidence)) / 100 * len(word)
            count += len(word)
    return Reading(bounded([" ".join(words) for words in told.values()]), sure / count if count else 0.0)
