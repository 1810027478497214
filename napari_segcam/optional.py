"""Optional libraries: needed for some files only, and asked for by name where they are missing."""

from __future__ import annotations

from importlib.util import find_spec

from napari_segcam.errors import SegcamError


def needed(package: str, why: str) -> None:
    """Make sure that a package is installed, without importing it.

    Args:
        package: its name for pip, which is its module's but for the hyphens.
        why: begins the message, "FILE is MONAI's UNet".

    Raises:
        SegcamError: if it is not.
    """
    if find_spec(package.replace("-", "_")) is None:
        raise SegcamError(f"{why}, which needs the package {package}. Install it: pip install {package}")
