"""Layout: which frames of a cine the frames of a Segmentation belong to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydicom import Dataset

from napari_segcam.budget import FRAMES
from napari_segcam.dicom_objects.segmentation.described import StoredFrame
from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.errors import SegcamError

_SAME_PLACE_MM = 0.05


@dataclass(frozen=True)
class Layout:
    """The frames of a cine that each stored frame is about.

    Attributes:
        numbers: for each stored frame, numbers of frames, from 0; empty if it is about none of this cine.
        frame_count: of the cine.
    """

    numbers: tuple[tuple[int, ...], ...]
    frame_count: int


def layout_alone(name: str, frames: Sequence[StoredFrame], instances: Sequence[str]) -> Layout:
    """Lay frames out as far as their file alone says: in the order of the images and frames that they refer to.

    Args:
        name: of the file, for the error.
        frames: as they are stored.
        instances: UIDs of the source images in the order of the file.

    Raises:
        SegcamError: if it says nothing.
    """
    referenced = dict.fromkeys(uid for frame in frames for uid, _ in frame.references)
    if not referenced:
        positions = _planes_in_order([frame.position for frame in frames])
        indices = positions if positions is not None else _by_index(name, frames, None)
        return Layout(tuple((number,) for number in indices), max(indices) + 1)
    if len(referenced) == 1 and not any(numbers for frame in frames for _, numbers in frame.references):
        indices = _by_index(name, frames, None)
        return Layout(tuple((number,) for number in indices), max(indices) + 1)
    counts = dict.fromkeys((uid for uid in (*instances, *referenced) if uid in referenced), 1)
    for frame in frames:
        for uid, stated in frame.references:
            counts[uid] = max([counts[uid], *stated])
    starts, total = {}, 0
    for uid, count in counts.items():
        starts[uid], total = total, total + count
    if any(number < 1 for frame in frames for _, stated in frame.references for number in stated):
        raise SegcamError(f"{name} refers to a frame with a number below 1: it is damaged.")
    if total > FRAMES:
        raise SegcamError(f"{name} refers to images of {total:,} frames, more than the {FRAMES:,} that are read.")
    numbers = []
    for frame in frames:
        places = (starts[uid] + number - 1 for uid, stated in frame.references for number in stated or (1,))
        numbers.append(tuple(dict.fromkeys(places)))
    return Layout(tuple(numbers), total)


def layout_over(name: str, frames: Sequence[StoredFrame], instances: Sequence[str], source: SourceImages) -> Layout:
    """Lay frames over the images of a cine.

    Args:
        name: of the file, for the errors.
        frames: as they are stored.
        instances: UIDs of all images that the file refers to.
        source: the images.

    Raises:
        SegcamError: if they belong to other images, or the file does not say to which frames.
    """
    referenced = {uid for frame in frames for uid, _ in frame.references}
    known = referenced or set(instances)
    if known and not any(source.numbers_of(uid) is not None for uid in known):
        raise SegcamError(
            f"{name} is a segmentation of another image: it refers to none of the DICOM files of this one "
            f"(it names {next(iter(known))}). Open the image that it was made for."
        )
    if not referenced:
        numbers = _by_position(frames, source)
        if numbers is None:
            numbers = [(number,) for number in _by_index(name, frames, source.frame_count)]
        return Layout(tuple(numbers), source.frame_count)
    whole = [
        frame
        for frame in frames
        for uid, stated in frame.references
        if not stated and len(source.numbers_of(uid) or ()) > 1
    ]
    if whole:  # references to a cine as a whole
        by_index = _by_index(name, frames, source.frame_count)
        return Layout(tuple((number,) for number in by_index), source.frame_count)
    return Layout(tuple(_referenced_numbers(name, frame, source) for frame in frames), source.frame_count)


def _referenced_numbers(name: str, frame: StoredFrame, source: SourceImages) -> tuple[int, ...]:
    found: list[int] = []
    for uid, stated in frame.references:
        numbers = source.numbers_of(uid)
        if numbers is None:
            continue
        for number in stated or (1,):
            if not 1 <= number <= len(numbers):
                raise SegcamError(
                    f"{name} refers to frame {number} of an image that has {len(numbers)}: it does not belong to this "
                    "version of the image."
                )
            found.append(numbers[number - 1])
    return tuple(dict.fromkeys(found))


def _by_index(name: str, frames: Sequence[StoredFrame], count: int | None) -> list[int]:
    """Return a frame number, from 0, for each stored frame by what counts them.

    Raises:
        SegcamError: if nothing does, or it counts beyond ``count``.
    """
    for values in ([frame.moment for frame in frames], [frame.in_stack for frame in frames]):
        numbers = [value - 1 for value in values if value is not None]
        # A stack of one position says nothing about moments.
        if len(numbers) == len(frames) and (len(set(numbers)) > 1 or len(_by_segment(frames)) == len(frames)):
            if min(numbers) < 0 or (count is not None and max(numbers) >= count):
                raise SegcamError(f"{name} has masks of frame {max(numbers) + 1}, but the image has {count} frames.")
            return numbers
    groups = _by_segment(frames)
    lengths = {len(members) for members in groups.values()}
    if len(lengths) == 1 and (count is None or lengths == {count}):  # one for each frame, in order
        numbers = [0] * len(frames)
        for members in groups.values():
            for number, index in enumerate(members):
                numbers[index] = number
        return numbers
    raise SegcamError(
        f"{name} does not say which frame of the image each of its masks belongs to: it has no frame numbers and no "
        "positions, and not one mask for each frame."
    )


def _by_segment(frames: Sequence[StoredFrame]) -> dict[int | None, list[int]]:
    groups: dict[int | None, list[int]] = {}
    for index, frame in enumerate(frames):
        groups.setdefault(frame.segment, []).append(index)
    return groups


def _planes_in_order(positions: Sequence[tuple[float, ...] | None]) -> list[int] | None:
    """Return for each position its rank along the stack; None if one is unknown or all are the same."""
    known = [position for position in positions if position is not None]
    places = np.array(sorted(set(known)))
    if len(known) < len(positions) or len(places) < 2:
        return None
    along = np.linalg.svd(places - places.mean(axis=0), full_matrices=False)[2][0]
    along *= np.sign(along[np.argmax(np.abs(along))])
    order = {
        tuple(place): rank for rank, place in enumerate(sorted(map(tuple, places), key=lambda p: float(along @ p)))
    }
    return [order[position] for position in known]


def _by_position(frames: Sequence[StoredFrame], source: SourceImages) -> list[tuple[int, ...]] | None:
    """Return the frames of the source at the same places; None if a place is unknown or none is the same."""
    places = [
        _position_of(source.place(number).header, source.place(number).frame) for number in range(source.frame_count)
    ]
    if any(frame.position is None for frame in frames) or any(place is None for place in places):
        return None
    of_source = np.array(places)
    if len(np.unique(of_source, axis=0)) < len(of_source):
        return None
    found: list[tuple[int, ...]] = []
    for frame in frames:
        distances = np.linalg.norm(of_source - np.array(frame.position), axis=1)
        nearest = int(np.argmin(distances))
        found.append((nearest,) if distances[nearest] < _SAME_PLACE_MM else ())
    return found if any(found) else None


def _position_of(header: Dataset, frame: int) -> tuple[float, ...] | None:
    """Return where the first pixel of a frame is in the patient, mm; None if that is unknown."""
    groups = header.get("PerFrameFunctionalGroupsSequence") or ()
    holders = [header]
    if frame <= len(groups):
        holders += groups[frame - 1].get("PlanePositionSequence") or ()
    for holder in holders:
        position = holder.get("ImagePositionPatient")
        if position is not None and len(position) == 3:
            return tuple(float(value) for value in position)
    return None
