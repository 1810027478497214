"""Run lengths: RLE Lossless, the compression that every DICOM program can read (PS3.5, annex G)."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

_LONGEST = 128  # bytes that one control byte can describe
_WORTH_A_RUN = 3  # two equal bytes take as much room among the others


def run_length_encoded(frame: NDArray[np.unsignedinteger]) -> bytes:
    """Return a frame ``(Y, X)`` of 8 or 16 bits as one RLE fragment."""
    planes = frame.astype(f">u{frame.itemsize}").view(np.uint8).reshape(*frame.shape, frame.itemsize)
    segments = [_packed(np.ascontiguousarray(planes[..., byte])) for byte in range(frame.itemsize)]
    offsets = [64]
    for segment in segments[:-1]:
        offsets.append(offsets[-1] + len(segment))
    return struct.pack("<16L", len(segments), *offsets, *[0] * (15 - len(offsets))) + b"".join(segments)


def _packed(rows: NDArray[np.uint8]) -> bytes:
    """Return bytes ``(Y, X)`` in runs and literal pieces, none of which crosses the end of a row."""
    values, width = rows.ravel(), rows.shape[1]
    begins = np.ones(values.size, bool)
    begins[1:] = values[1:] != values[:-1]
    begins[::width] = True
    starts = np.flatnonzero(begins)
    is_run = np.diff(starts, append=values.size) >= _WORTH_A_RUN
    # Short runs that follow one another in a row are one literal piece.
    first = np.ones(starts.size, bool)
    first[1:] = is_run[1:] | is_run[:-1] | (starts[1:] // width != starts[:-1] // width)
    starts, is_run = starts[first], is_run[first]
    lengths = np.diff(starts, append=values.size)
    parts = -(-lengths // _LONGEST)
    piece = np.repeat(np.arange(starts.size), parts)
    before = _LONGEST * _counted(parts)
    starts, is_run, lengths = starts[piece] + before, is_run[piece], np.minimum(lengths[piece] - before, _LONGEST)
    sizes = np.where(is_run, 2, lengths + 1)
    places = np.cumsum(sizes) - sizes
    coded = np.zeros((int(sizes.sum()) + 1) // 2 * 2, np.uint8)
    coded[places] = np.where(is_run, (257 - lengths) & 255, lengths - 1)
    coded[places[is_run] + 1] = values[starts[is_run]]
    counts = lengths[~is_run]
    within = _counted(counts)
    coded[np.repeat(places[~is_run] + 1, counts) + within] = values[np.repeat(starts[~is_run], counts) + within]
    return coded.tobytes()


def _counted(counts: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return 0, 1, 2, … for each count, one after the other."""
    return np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
