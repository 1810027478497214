"""Records: what the log says about each copy, and about each file without one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from napari_segcam.deidentifying.entries import Entries


@dataclass
class CopyRecord:
    """What was done to one file.

    Attributes:
        number: of the file in the order of the run, from 1; its name may hold a patient's.
        copy: path of the copy, in the output folder.
        kind: of the file, such as ``image``.
        entries: what was done to its header.
        frames: number of frames; 0 without pixels.
        region: that keeps its pixels, in words.
        pixels: how they are stored, in words.
        burned_in: what was found in the pixels that stay, in words.
        burned_in_annotation: value in the copy; empty if it is left out.
        notes: what else the user should know, in sentences.
    """

    number: int
    copy: str
    kind: str
    entries: Entries = field(default_factory=Entries)
    frames: int = 0
    region: str = ""
    pixels: str = ""
    burned_in: str = ""
    burned_in_annotation: str = ""
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the record as plain values."""
        return {
            "file": self.number,
            "copy": self.copy,
            "kind": self.kind,
            "frames": self.frames,
            "region": self.region,
            "pixels": self.pixels,
            "burned_in": self.burned_in,
            "burned_in_annotation": self.burned_in_annotation,
            "notes": self.notes,
            "elements": [
                {
                    "tag": entry.tag,
                    "keyword": entry.keyword,
                    "vr": entry.vr,
                    "action": entry.action,
                    "reason": entry.reason,
                    "count": count,
                }
                for entry, count in self.entries
            ],
        }


@dataclass(frozen=True)
class Refusal:
    """A file without a copy.

    Attributes:
        number: of the file in the order of the run, from 1.
        name: of the file, for the screen; never in the log.
        message: for the user; it may name the file.
        reason: for the log, without anything of the file.
    """

    number: int
    name: str
    message: str
    reason: str
