"""Texts that an author completes: a checksum in the last line tells whether somebody changed one."""

from __future__ import annotations

import hashlib
from pathlib import Path

from napari_segcam.errors import SegcamError, error_text

_MARK, _END = "<!-- Made by napari-segcam. Changed texts are never replaced. SHA-256: ", " -->\n"


def signed(text: str) -> str:
    r"""Return a text with its checksum, in a line that Markdown does not show.

    Examples:
        >>> from napari_segcam.validating.publishing.signed_text import signed
        >>> signed("# Card").startswith("# Card\n<!-- Made by napari-segcam.")
        True
    """
    text = text.rstrip("\n") + "\n"
    return f"{text}{_MARK}{_checksum(text)}{_END}"


def is_changed(path: Path) -> bool:
    """Return whether a file is there that is not as ``signed`` made it.

    Raises:
        SegcamError: if the file cannot be read.
    """
    try:
        content = path.read_bytes().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return False
    except OSError as error:
        raise SegcamError(f"{path} cannot be read: {error_text(error)}") from error
    text, _, ending = content.rpartition(_MARK)
    return ending != f"{_checksum(text)}{_END}"


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
