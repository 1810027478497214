"""The sample that comes with the package: where its files are, and which frame shows it best."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from napari_segcam.errors import SegcamError

FRAME = 38  # where its largest fibroid is largest

_CINE = "fibroid_sweep.dcm"
_CHECKPOINT = "demo_fibroid_unetplusplus_b0.safetensors"


def sample_cine() -> Path:
    """The phantom's cine: in a wheel among the resources, in a checkout in ``sample_data/``."""
    package = Path(str(files("napari_segcam")))
    return _there(package / "resources" / _CINE, package.parent / "sample_data" / _CINE)


def demo_checkpoint() -> Path:
    """The network trained on phantoms, with its model card beside it."""
    return _there(Path(str(files("napari_segcam"))) / "resources" / _CHECKPOINT)


def _there(*places: Path) -> Path:
    for path in places:
        if path.is_file():
            return path
    raise SegcamError(f"{places[0].name} is missing from this installation. Install napari-segcam again.")
