"""Budgets: how much time, memory and how many pixels a file may ask for.

A file of a few hundred bytes can declare a picture of gigabytes, or a network that never ends. What it asks for is
compared with these numbers first. They are far above what ultrasound and its networks need, and low enough
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
"""Of content that must be decompressed completely before any of it can be read, such as a volume in a gzip file."""

INPUT_SIDE = 8192
"""Of a network's input, in pixels: the largest height and width in a model card."""

INPUT_PIXELS = 2**25
"""Of a network's input: height × width."""

INPUT_CHANNELS = 1024
"""Of a network's input."""

OPTION_SIZE = 4096
"""Of a number among the options of an architecture, such as a dilation."""

NORMALIZATION = 1e6
"""Of a mean, and of 1 divided by a standard deviation."""

PROJECT_BYTES = 64 * MIB
"""Of the file of a review project: about a hundred thousand cases."""

LOG_BYTES = 256 * MIB
"""Of the log of one rater: about a million events."""

CARD_BYTES = MIB // 8
"""Of a model card; most have a few hundred."""

SETTINGS_BYTES = 16 * MIB
"""Of a JSON file that describes how a network is built."""

UNPACKED_BYTES = 128 * MIB
"""Of a zip package once it is unpacked, or eight times the size of the archive if that is more."""

PICKLE_INSTRUCTIONS = 1_500_000
"""Of one pickle: a checkpoint has about fifty for each tensor."""

PICKLE_TUPLE_KEYS = 5_000
"""How often a pickle may use a tuple as a key. Tuples can be constructed to have the same hash."""

PICKLE_COPIED = 64 * MIB
"""Of the copies that a pickle makes, beyond its own content."""

PICKLE_SIZE = 4_000_000
"""Of the result of a pickle, in objects; each counts as often as it is referred to."""

RECORDED_BYTES = 512 * MIB
"""Of the outputs of layers that are kept to run a network again from each of its stages."""

PASS_BYTES = 6 * 2**30
"""Of the feature maps of one pass. An image for which a network needs more runs in tiles."""

STITCHED_BYTES = 2 * 2**30
"""Of the feature maps of a whole image, stitched from tiles, that are in memory at the same time."""

TILES = 2**14
"""Of one image."""

RESOURCE_CHECK_SECONDS = 3.0
"""Of CPU time for the trial of a network that comes whole in a file; ``RESOURCE_CHECK_SECONDS_PER_MB`` is added."""

RESOURCE_CHECK_SECONDS_PER_MB = 0.25
"""Added for each megabyte of the file: large networks take longer."""

RESOURCE_CHECK_BYTES = 256 * MIB
"""Of memory for such a trial; eight times the size of the file is added."""

HELD_BYTES = 4096 * MIB
"""Of the forward passes of all members of an ensemble that are kept for their heatmaps."""

ENSEMBLE_MEMBERS = 64
"""Of networks that work as one."""

LAYER_SIZE = 2**16
"""Of a number in the configuration of a Keras layer, such as its filters or its padding."""


def refuse_large_frame(name: str, shape: Sequence[int], itemsize: int = 1, frames: int = 1) -> None:
    """Refuse pictures that are too large, before memory is allocated for them.

    Args:
        name: of the file, for the error.
        shape: ``(Y, X)``, or with the channels as one more axis, at any position.
        itemsize: bytes of one sample.
        frames: how many there are.

    Raises:
        SegcamError: if a frame has too many pixels or bytes, or there are too many of them.
    """
    # Of three axes, the shortest may be the channels.
    sides = sorted(shape, reverse=True)[:2]
    pixels, size = math.prod(sides), math.prod(shape) * itemsize
    if pixels > FRAME_PIXELS or size > FRAME_BYTES:
        size_text = " × ".join(map(str, shape))
        raise SegcamError(
            f"{name} holds pictures of {size_text} ({pixels / 1e6:,.0f} million pixels, {size / MIB:,.0f} MB): "
            f"more than the {FRAME_PIXELS / 1e6:,.0f} million and {FRAME_BYTES // MIB} MB that are read. "
            "Crop or scale it down."
        )
    if frames > FRAMES:
        raise SegcamError(f"{name} holds {frames:,} frames, more than the {FRAMES:,} that are read. Cut it.")


def refuse_large_content(name: str, size: int) -> None:
    """Refuse content that must be decompressed completely and would then be too large for the memory.

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
