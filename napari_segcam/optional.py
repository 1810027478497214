"""Optional libraries: needed for some files only, and asked for by name where they are missing."""

from __future__ import annotations

from importlib.util import find_spec

from napari_segcam.errors import SegcamError


def needed(package: str, why: str, *, extra: str | None = None, pip_name: str | None = None) -> None:
    """Make sure that a package is installed, without importing it.

    Args:
        package: its module's name, which is the one for pip but for the hyphens.
        why: begins the message, "FILE is MONAI's UNet".
        extra: of this package, which installs it with all that belongs to it.
        pip_name: its name for pip where that is another one.

    Raises:
        SegcamError: if it is not.
    """
    if find_spec(package.replace("-", "_")) is None:
        install = f'"napari-segcam[{extra}]"' if extra else pip_name or package
        raise SegcamError(f"{why}, which needs the package {pip_name or package}. Install it: pip install {install}")
