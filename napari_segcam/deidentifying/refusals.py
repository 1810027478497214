"""Refusals: why a file has no copy, in words that hold nothing of the file."""

from __future__ import annotations

from napari_segcam.errors import SegcamError

UNREADABLE = "it cannot be read as an image"
NO_REGION = "the scan was not recognized"
WRONG_KIND = "objects of its kind are not de-identified"
OTHER_FILE = "it is not an image"
DIRECTORY = "it lists patients and files"
UNWRITABLE = "the copy cannot be written"


class RefusedError(SegcamError):
    """A file that is not copied.

    Attributes:
        reason: why, without anything of the file; the message may name the file.
    """

    def __init__(self, message: object, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class StoppedError(SegcamError):
    """The user stopped the run."""
