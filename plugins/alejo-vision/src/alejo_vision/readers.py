"""The readers there are, and which one is taken."""

from __future__ import annotations

import shutil
from importlib.util import find_spec

from alejo.types import Unseen

from .reading import Reader

OCR = "pip install 'alejo-vision[ocr]'"


def chosen(name: str, language: str) -> Reader | Unseen | None:
    """The reader of this name, what is missing for it, or None where nothing shall be read. "auto" is what there is."""
    if name in {"auto", "rapidocr"} and find_spec("rapidocr") and find_spec("onnxruntime"):
        from .rapid import Rapid  # noqa: PLC0415  # half a second and 60 MB that only reading pays

        return Rapid()
    if name in {"auto", "tesseract"} and (path := shutil.which("tesseract")):
        from .tesseract import Tesseract  # noqa: PLC0415

        return Tesseract(path, language)
    return None if name == "none" else missing(name)


def missing(name: str) -> Unseen:
    """What a reader's absence is told as."""
    return Unseen("text", "not_installed", "apt-get install tesseract-ocr" if name == "tesseract" else OCR)


def available(name: str) -> bool:
    """Whether there is a reader of this name, without loading it."""
    rapid = name in {"auto", "rapidocr"} and find_spec("rapidocr") and find_spec("onnxruntime")
    return bool(rapid or (name in {"auto", "tesseract"} and shutil.which("tesseract")) or name == "none")
