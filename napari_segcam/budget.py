"""Budgets: the most of time, memory and pixels that a file may ask of its reader, all in one place.

A file of a few hundred bytes can declare a picture of gigabytes, or a network that never ends. What it asks for is
compared with these numbers before it gets it. They are far above what ultrasound and its networks need, and low enough
that a reader stays below 1 GB and 10 s. Pictures that are larger have to be cropped or scaled down first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from napari_segcam.errors import SegcamError

MIB = 2**20

FRAME_PIXELS = 2**25
"""Of one frame: 8192 × 4096, sixteen times a Full-HD screen."""

FRAME_BYTES = 256 * MIB
"""Of one frame in memory, as it is decoded."""

FRAMES = 2**18
"""Of one cine: two and a half hours at 30 frames a second."""

INFLATED_BYTES = 512 * MIB
"""Of what has to be decompressed whole before any of it can be read, such as a volume in a gzip file."""

INPUT_SIDE = 8192
"""Of what a network is fed, in pixels: the largest height and width in a model card."""

INPUT_PIXELS = 2**25
"""Of what a network is fed: height × width."""

INPUT_CHANNELS = 1024
"""Of what a network is fed."""

OPTION_SIZE = 4096
"""Of a number among the options of an architecture, such as a dilation."""

NORMALIZATION = 1e6
"""Of a mean, and of one over a deviation."""

CARD_BYTES = MIB // 8
"""Of a model card, which has some hundred."""

SETTINGS_BYTES = 16 * MIB
"""Of a JSON file that describes how a network is built."""

PICKLE_INSTRUCTIONS = 1_500_000
"""Of one pickle: a checkpoint has some fifty for each tensor."""

PICKLE_TUPLE_KEYS = 5_000
"""Of the times that a pickle uses a tuple as a key. Tuples can be made to have one and the same hash."""

PICKLE_COPIED = 64 * MIB
"""Of what a pickle has copied, in bytes of memory, beyond what it holds itself."""

PICKLE_SIZE = 4_000_000
"""Of what a pickle gives, in objects, each counted as often as it is referred to."""

RESOURCE_CHECK_SECONDS = 3.0
"""Of the processor's time for the trial of a network that a file brings along; see also the next."""

RESOURCE_CHECK_SECONDS_PER_MB = 0.25
"""More for each megabyte of the file: large networks take long."""

RESOURCE_CHECK_BYTES = 256 * MIB
"""Of memory for such a trial, and eight times the file."""

LAYER_SIZE = 2**16
"""Of a number that says how a layer of Keras is built, such as its filters or its padding."""


def refuse_large_frame(name: str, shape: Sequence[int], itemsize: int = 1, frames: int = 1) -> None:
    """Refuse pictures that are larger than any that the program is meant for, before memory is taken for them.

    Args:
        name: of the file, for the error.
        shape: ``(Y, X)``, or with the samples of a pixel as one more axis, anywhere.
        itemsize: bytes of one sample.
        frames: how many there are.

    Raises:
        SegcamError: if a frame has too many pixels or bytes, or there are too many of them.
    """
    # Of three axes the shortest may be that of the colors.
    sides = sorted(shape, reverse=True)[:2]
    pixels, size = math.prod(sides), math.prod(shape) * itemsize
    if pixels > FRAME_PIXELS or size > FRAME_BYTES:
        what = " × ".join(map(str, shape))
        raise SegcamError(
            f"{name} holds pictures of {what} ({pixels / 1e6:,.0f} million pixels, {size / MIB:,.0f} MB): more than "
            f"the {FRAME_PIXELS / 1e6:,.0f} million and {FRAME_BYTES // MIB} MB that are read. Crop or scale it down."
        )
    if frames > FRAMES:
        raise SegcamError(f"{name} holds {frames:,} frames, more than the {FRAMES:,} that are read. Cut it.")


def refuse_large_content(name: str, size: int) -> None:
    """Refuse what has to be decompressed whole and would then be too large for the memory.

    Args:
        name: of the file, for the error.
        size: of the content, bytes.

    Raises:
        SegcamError: if it is too large.
    """
    if size > INFLATED_BYTES:
        raise SegcamError(
            f"{name} would take {size / MIB:,.0f} MB of memory once it is decompressed, more than the "
            f"{INFLATED_BYTES // MIB} MB that are read. Decompress it first, or save a part of it."
        )
