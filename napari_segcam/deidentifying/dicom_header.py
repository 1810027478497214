"""Reading a complete DICOM header, whatever it holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydicom import Dataset, dcmread

from napari_segcam.deidentifying.refusals import UNREADABLE, RefusedError, StoppedError
from napari_segcam.errors import SegcamError, error_text
from napari_segcam.imaging.dicom.header import read_header, transfer_syntax_of

_LARGE = 2**20  # bytes of a value that is read only if it is needed


def read_whole_header(path: Path) -> Dataset:
    """Return all elements before the pixels, with the transfer syntax in the file meta information.

    Raises:
        RefusedError: if the file is damaged, or deflated.
    """
    with refused_errors(path):
        transfer_syntax_of(path)
        with path.open("rb") as file:
            meta = read_header(file, ["SOPClassUID"]).file_meta
        header = dcmread(path, stop_before_pixels=True, force=True, defer_size=_LARGE)
        header.file_meta = meta
    return header


@contextmanager
def refused_errors(path: Path, *, reading: bool = True) -> Iterator[None]:
    """Turn any error while a file is read into a RefusedError.

    Args:
        path: of the file.
        reading: whether errors of the system are about this file; else they pass through, such as a full disk.
    """
    try:
        yield
    except (RefusedError, StoppedError):
        raise
    except OSError as error:
        if not reading:
            raise
        raise RefusedError(f"{path.name} cannot be read: {error_text(error)}.", UNREADABLE) from error
    except SegcamError as error:
        raise RefusedError(error, UNREADABLE) from error
    except Exception as error:  # a damaged file makes pydicom raise errors of many types
        raise RefusedError(f"{path.name} cannot be read: {error_text(error)}.", UNREADABLE) from error
