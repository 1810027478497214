"""Optional libraries, which only some files need."""

from __future__ import annotations

from importlib.util import find_spec

from napari_segcam.errors import SegcamError


def needed(package: str, why: str, *, extra: str | None = None, pip_name: str | None = None) -> None:
    """Check that a package is installed, without importing it.

    Args:
        package: its module's name; pip's name may have hyphens instead of underscores.
        why: the beginning of the message, such as "FILE is MONAI's UNet".
        extra: of napari-segcam that installs the package and what goes with it.
        pip_name: its name for pip, if that is different.

    Raises:
        SegcamError: if it is not installed.
    """
    if find_spec(package.replace("-", "_")) is None:
        install = f'"napari-segcam[{extra}]"' if extra else pip_name or package
        raise SegcamError(
            f"{why}, which needs the package {pip_name or package}. Install it: pip install {install}",
            action="copy_command",
        )
