"""Open the files of a package: a zip archive is unpacked into a temporary folder; no name leads out of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from napari_segcam.budget import MIB
from napari_segcam.errors import SegcamError, error_text
from napari_segcam.network.files.archive import Archive
from napari_segcam.network.settings_text import parse_yaml, read_json, read_text

_DESCRIPTION_BYTES = MIB  # of YAML; the largest real ones have a few kilobytes


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """Yield a folder with the files of a package: the folder itself, or a temporary one for a zip archive.

    Errors raised in this context name the archive instead of the temporary folder.

    Raises:
        SegcamError: if the archive is damaged, encrypted, far larger inside than outside, or names files outside of it.
    """
    if path.is_dir():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="napari-segcam-", ignore_cleanup_errors=True) as name:
        try:
            with Archive(path, compresses=True) as archive:
                archive.extract(Path(name))
            yield Path(name)
        except SegcamError as error:
            if name not in str(error):
                raise
            raise SegcamError(str(error).replace(name, str(path))) from error
        except OSError as error:
            raise SegcamError(f"{path} cannot be unpacked: {error}.") from error


def file_in(folder: Path, name: object, meaning: str) -> Path:
    """Return the file of a package that its description names.

    Args:
        folder: of the package.
        name: as the description gives it.
        meaning: what the file is, for the message: "its weights".

    Raises:
        SegcamError: if the name leads out of the package or is an address, or there is no such file.
    """
    if not isinstance(name, str) or not name.strip():
        raise SegcamError(f"{folder}: the description does not name {meaning}.")
    if "://" in name:
        last = name.partition("?")[0].rstrip("/").removesuffix("/content").rpartition("/")[2]
        beside = folder / last if last and last not in (".", "..") and "\\" not in last else None
        if beside is not None and beside.is_file():
            return beside
        raise SegcamError(
            f"{folder}: {meaning} is not in the package but at {name}. Nothing is downloaded: put the file into the "
            "package, under the last part of its address."
        )
    parts = PurePosixPath(name.strip()).parts
    if name.startswith(("/", "~")) or ".." in parts or "\\" in name or ":" in name or "\0" in name:
        raise SegcamError(f"{folder}: {meaning} would be outside of the package ({name}). It is not opened.")
    file = folder.joinpath(*parts)
    if not file.is_file():
        raise SegcamError(f"{folder}: {meaning} is missing: {name}.")
    return file


def read_description(file: Path) -> dict[str, Any]:
    """Return a description in JSON or YAML as plain data.

    Raises:
        SegcamError: if it cannot be read, or is not a mapping.
    """
    try:
        content = (
            read_json(file)
            if file.suffix.lower() == ".json"
            else parse_yaml(read_text(file, _DESCRIPTION_BYTES), anchors=True)
        )
    except (OSError, ValueError) as error:
        raise SegcamError(f"{file} cannot be read: {error_text(error)}.") from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise SegcamError(f"{file} does not describe a network: named fields were expected.")
    return content
