"""The index of timm's encoders, which finds the encoders that weights may belong to without building all of them.

The index is the file ``timm_encoders.txt``, which ``tools/index_timm_encoders.py`` writes. It has, for every encoder of
timm that SMP can use, fingerprints of its weights at several depths. The candidates are built without values and
compared tensor by tensor.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from functools import cache
from pathlib import Path

from napari_segcam.network.families.decoders import Shapes

INDEX = Path(__file__).with_name("timm_encoders.txt")

# Convolutions of the image depend on its channels. They are left out, with all others of so few channels.
_MOST_IMAGE_CHANNELS = 16


def fingerprint(shapes: Shapes) -> str:
    """Return eight hexadecimal digits for the shapes of an encoder's weights.

    Names are not used, since they change between timm's releases more often than shapes do.
    """
    sorted_shapes = sorted(shape for shape in shapes.values() if len(shape) != 4 or shape[1] > _MOST_IMAGE_CHANNELS)
    return hashlib.blake2b(repr(sorted_shapes).encode(), digest_size=4).hexdigest()


def candidate_encoders(shapes: Shapes) -> tuple[str, ...]:
    """Return the names of timm's encoders with weights of these shapes, such as ``"tu-convnext_tiny"``, shortest first.

    Args:
        shapes: of the weights of the encoder only.
    """
    return _index().get(fingerprint(shapes), ())


@cache
def _index() -> dict[str, tuple[str, ...]]:
    names: dict[str, list[str]] = defaultdict(list)
    for line in INDEX.read_text(encoding="ascii").splitlines():
        name, *fingerprints = line.split()
        for digits in dict.fromkeys(fingerprints):
            names[digits].append(f"tu-{name}")
    return {digits: tuple(sorted(encoders, key=lambda name: (len(name), name))) for digits, encoders in names.items()}
