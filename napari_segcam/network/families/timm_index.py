"""The index of timm's encoders: which of a thousand can have given weights, without building any.

The index beside this file holds, for every encoder of timm that SMP can use, fingerprints of its weights at several
depths. It is made by ``tools/index_timm_encoders.py``. A fingerprint only proposes: what it proposes is built,
weightless, and compared tensor by tensor.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from functools import cache
from pathlib import Path

from napari_segcam.network.families.decoders import Shapes

INDEX = Path(__file__).with_name("timm_encoders.txt")

# Convolutions that take the image differ by its channels; they are left out, with all others as thin.
_MOST_IMAGE_CHANNELS = 16


def fingerprint(shapes: Shapes) -> str:
    """Eight hexadecimal digits that stand for the shapes of an encoder's weights.

    Names do not count, since they change between timm's releases more often than shapes do.
    """
    kept = sorted(shape for shape in shapes.values() if len(shape) != 4 or shape[1] > _MOST_IMAGE_CHANNELS)
    return hashlib.blake2b(repr(kept).encode(), digest_size=4).hexdigest()


def candidate_encoders(shapes: Shapes) -> tuple[str, ...]:
    """Names of timm's encoders, ``"tu-convnext_tiny"``, that have weights of these shapes; the shortest name first.

    Args:
        shapes: of the encoder's weights alone.
    """
    return _index().get(fingerprint(shapes), ())


@cache
def _index() -> dict[str, tuple[str, ...]]:
    names: dict[str, list[str]] = defaultdict(list)
    for line in INDEX.read_text(encoding="ascii").splitlines():
        name, *prints = line.split()
        for one in dict.fromkeys(prints):
            names[one].append(f"tu-{name}")
    return {one: tuple(sorted(found, key=lambda name: (len(name), name))) for one, found in names.items()}
