"""Names of files and folders out of words: readable, and the same thing on every system."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 80  # bytes of a name in UTF-8; with what is put around it far below the 255 of most file systems

# What Windows, FAT or a shell would take for something else.
_FOREIGN = re.compile(r'[<>:"/\\|?*`$;&!#%{}\[\]\'^~=+]')
_SPACE = re.compile(r"\s+")
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)


def safe(words: str, longest: int = LONGEST) -> str:
    """The words as a name or a part of one: of visible characters, composed (NFC), at most `longest` bytes; or "".

    It has no separator, does not begin with a dot or dash, does not end with a dot or space, and is no device.
    """
    text = unicodedata.normalize("NFC", words)
    text = "".join(" " if _hidden(character) else character for character in text)
    text = _SPACE.sub(" ", _FOREIGN.sub(" ", text)).strip(" .-")
    text = text.encode()[:longest].decode(errors="ignore")
    # A cut may part a letter from its accent, and a normal form of what is left may be another.
    text = unicodedata.normalize("NFC", text).rstrip(" .-")
    return f"_{text}"[:longest] if _DEVICES.fullmatch(text) else text


def alike(name: str) -> str:
    """What two names share that some file system takes for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", name).casefold())


def _hidden(character: str) -> bool:
    """Control, format, surrogate, private or unassigned characters, and separators of lines."""
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
