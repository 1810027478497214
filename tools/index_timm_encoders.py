"""Write the index of timm's encoders that ``napari_segcam.network.families.timm_index`` reads: a line per encoder.

Each line has the name of the encoder and the fingerprints of its weights at the depths that SMP's architectures use.
This takes about ten minutes on one core. Run it again when timm has new networks.
"""

from __future__ import annotations

import timm

from napari_segcam.errors import SegcamError
from napari_segcam.network.families.encoders import encoder_shapes
from napari_segcam.network.families.timm_index import INDEX, fingerprint

DEPTHS = (5, 4, 3)


def fingerprints_of(name: str) -> list[str]:
    """Return the fingerprints of an encoder at every depth; none if SMP cannot use it."""
    fingerprints = []
    for vision_transformer in (False, True):
        for depth in DEPTHS:
            try:
                shapes, _ = encoder_shapes(f"tu-{name}", depth, vision_transformer)
            except SegcamError:
                continue
            encoder_shapes.cache_clear()
            fingerprints.append(fingerprint(shapes))
        if fingerprints:
            break
    return list(dict.fromkeys(fingerprints))


def main() -> None:
    lines = []
    names = timm.list_models()
    for number, name in enumerate(names, start=1):
        if fingerprints := fingerprints_of(name):
            lines.append(" ".join([name, *fingerprints]))
        print(f"{number}/{len(names)} {name} {fingerprints}", flush=True)
    INDEX.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
    print(f"{len(lines)} of {len(names)} encoders can be used")


if __name__ == "__main__":
    main()
