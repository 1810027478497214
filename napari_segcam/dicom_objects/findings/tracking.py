"""Tracking: which finding of a frame is which one of the frame before, as far as the masks tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_segcam.dicom_objects.findings.measured_mask import MeasuredMask

_SAME = 0.5  # more than half of both together: no other finding can have so much of it


@dataclass(frozen=True)
class Track:
    """What a finding is called in all frames in which it is the same.

    Attributes:
        number: among the tracks of its class, from 1.
        identifier: such as "fibroid 1", unique in the cine.
        uid: unique in the world.
        note: why it is not one of the findings of the frame before, where it overlaps some; else empty.
    """

    number: int
    identifier: str
    uid: str
    note: str = ""


@dataclass(frozen=True)
class Links:
    """Findings of two neighboring frames.

    Attributes:
        same: the number in the frame before, by the number in the later frame.
        unclear: for a finding that may be one of several, or only a part of one: the numbers that it overlaps.
    """

    same: Mapping[int, int]
    unclear: Mapping[int, tuple[int, ...]]


def link(before: NDArray[np.unsignedinteger], after: NDArray[np.unsignedinteger]) -> Links:
    """Return which findings of two neighboring frames are the same.

    Two are the same if they share more than half of the pixels of both together, which only one pair can, or if each
    overlaps the other alone. A finding that parts, or several that join, are not the same as any: the masks do not
    tell which one goes on.

    Args:
        before: ``(Y, X)``: the number of the finding in each pixel, 0 elsewhere.
        after: ``(Y, X)``, of the next frame.
    """
    both = (before > 0) & (after > 0)
    step = int(before.max()) + 1
    codes, counts = np.unique(after[both].astype(np.int64) * step + before[both], return_counts=True)
    pairs = {divmod(code, step): count for code, count in zip(codes.tolist(), counts.tolist(), strict=True)}
    pixels_before, pixels_after = np.bincount(before.ravel()), np.bincount(after.ravel())
    same = {
        later: earlier
        for (later, earlier), shared in pairs.items()
        if shared > _SAME * (pixels_before[earlier] + pixels_after[later] - shared)
    }
    touched_later: dict[int, list[int]] = {}
    touched_earlier: dict[int, list[int]] = {}
    for later, earlier in sorted(pairs):
        touched_later.setdefault(later, []).append(earlier)
        touched_earlier.setdefault(earlier, []).append(later)
    for later, earlier_ones in touched_later.items():
        if len(earlier_ones) == 1 and len(touched_earlier[earlier_ones[0]]) == 1:
            same[later] = earlier_ones[0]
    taken = set(same.values())
    unclear = {
        later: tuple(earlier)
        for later, earlier in touched_later.items()
        if later not in same and not set(earlier) <= taken
    }
    return Links(same, unclear)


def track(
    class_name: str,
    frames: Iterable[tuple[int, MeasuredMask]],
    new_uid: Callable[[], str],
    *,
    is_moving: bool = True,
) -> dict[tuple[int, int], Track]:
    """Return the track of each measured finding of a class, by frame and number.

    A finding keeps its identity from one frame to the next one alone: where it is missing in a frame, or a frame was
    not examined, a new track begins.

    Args:
        class_name: of the findings.
        frames: the number of each examined frame and its findings, in the order of the frames.
        new_uid: returns a new UID.
        is_moving: whether neighboring frames show the same scene; in a folder of stills they do not.
    """
    tracks: dict[tuple[int, int], Track] = {}
    last: tuple[int, NDArray[np.unsignedinteger]] | None = None
    count = 0
    for frame, measured in frames:
        numbers = measured.numbers
        is_next = is_moving and last is not None and frame == last[0] + 1
        links = link(last[1], numbers) if is_next and last is not None else Links({}, {})
        for number in measured.sizes:
            known = tracks.get((frame - 1, links.same[number])) if number in links.same else None
            if known is not None:
                tracks[frame, number] = Track(known.number, known.identifier, known.uid)
                continue
            count += 1
            tracks[frame, number] = Track(
                count, f"{class_name} {count}", new_uid(), _note(links.unclear.get(number, ()))
            )
        last = frame, numbers
    return tracks


def _note(overlapped: tuple[int, ...]) -> str:
    if not overlapped:
        return ""
    if len(overlapped) == 1:
        return "it overlaps a finding of the frame before that may go on as another one, so it has a new identifier"
    return (
        f"it overlaps {len(overlapped)} findings of the frame before, and the masks do not tell which one it is, so it "
        "has a new identifier"
    )
