"""Options of an export."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from napari_segcam.errors import SegcamError
from napari_segcam.review.log.events import MASK_VALUES

Format = Literal["png", "nifti", "nnunet", "coco", "dicom"]
FORMATS: tuple[str, ...] = get_args(Format)

FileEnding = Literal[".png", ".nii.gz"]
FILE_ENDINGS: tuple[str, ...] = get_args(FileEnding)


@dataclass(frozen=True)
class ExportOptions:
    """What is exported, and how.

    Attributes:
        format: ``png``, ``nifti``, ``nnunet``, ``coco`` or ``dicom``.
        verdicts: which frames, by the verdict on their mask.
        rater: whose verdicts and corrections; empty for all raters.
        classes: names; empty for all classes.
        checkpoint: whose masks were judged.
        repeats: whether second readings are exported too.
        file_ending: of the files of ``nnunet``.
    """

    format: str = "png"
    verdicts: tuple[str, ...] = ("accept", "correct")
    rater: str = ""
    classes: tuple[str, ...] = ()
    checkpoint: str = "A"
    repeats: bool = False
    file_ending: str = ".png"

    def __post_init__(self) -> None:
        """Refuse what is not known.

        Raises:
            SegcamError: if a format, verdict or file ending is unknown.
        """
        _refuse_unknown("format", (self.format,), FORMATS)
        _refuse_unknown("verdict", self.verdicts, MASK_VALUES)
        _refuse_unknown("file ending", (self.file_ending,), FILE_ENDINGS)
        if not self.verdicts:
            raise SegcamError(f"No verdict is chosen: give some of {', '.join(MASK_VALUES)}.")


def _refuse_unknown(what: str, given: tuple[str, ...], known: tuple[str, ...]) -> None:
    for name in given:
        if name not in known:
            raise SegcamError(f"There is no {what} “{name}”: give one of {', '.join(known)}.")
