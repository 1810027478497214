"""The sample that comes with the package: where its files are, and which frame shows the fibroid best."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from napari_segcam.errors import SegcamError

FRAME = 38  # the largest fibroid is largest here

_CINE = "fibroid_sweep.dcm"
_CHECKPOINT = "demo_fibroid_unetplusplus_b0.safetensors"


def sample_cine() -> Path:
    """Return the path of the phantom's cine: among the resources of a wheel, or in ``sample_data/`` of a checkout."""
    package = Path(str(files("napari_segcam")))
    return _first_file(package / "resources" / _CINE, package.parent / "sample_data" / _CINE)


def demo_checkpoint() -> Path:
    """Return the path of the network that was trained on phantoms; its model card is beside it."""
    return _first_file(Path(str(files("napari_segcam"))) / "resources" / _CHECKPOINT)


def _first_file(*paths: Path) -> Path:
    for path in paths:
        if path.is_file():
            return path
    raise SegcamError(f"{paths[0].name} is missing from this installation. Install napari-segcam again.")
