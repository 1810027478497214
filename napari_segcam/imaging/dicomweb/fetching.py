"""Fetching (WADO-RS): files as they are stored, each complete or not at all, and cines frame by frame."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydicom.uid import MPEGTransferSyntaxes

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.files import replace_file
from napari_segcam.imaging.dicom.header import transfer_syntax_of
from napari_segcam.imaging.dicom.opening import open_dicom
from napari_segcam.imaging.dicomweb.arriving import Arrival, ArrivingCine
from napari_segcam.imaging.dicomweb.found import FoundInstance
from napari_segcam.imaging.dicomweb.multipart import boundary_of, first_part
from napari_segcam.imaging.dicomweb.servers import Server
from napari_segcam.imaging.dicomweb.watch import FILE_SECONDS, ServerError
from napari_segcam.imaging.dicomweb.writing import (
    FILE_BYTES,
    check_identity,
    is_there,
    part_file,
    path_of,
    refuse_full_disk,
)

if TYPE_CHECKING:
    from napari_segcam.imaging.dicomweb.transport import GuardedSession

AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_EVERY_SECONDS = 0.05
_PIECE = 1 << 16
_PREAMBLE = 132
_DISK_CHECKED = 2**26  # bytes between two looks at the space that is left


@dataclass(frozen=True)
class FetchProgress:
    """How far a fetch has come.

    Attributes:
        done: files that are there.
        total: files.
        received: bytes of this fetch.
        path: of the last file that is there; None while a file is coming.
    """

    done: int
    total: int
    received: int
    path: Path | None = None


def fetch_files(
    session: GuardedSession,
    server: Server,
    instances: Sequence[FoundInstance],
    folder: Path,
    progress: Callable[[FetchProgress], None],
) -> list[Path]:
    """Fetch files into a folder; see ``PacsClient.fetch``."""
    paths: list[Path] = []
    received = 0
    for instance in instances:
        path = path_of(instance, folder)
        if not is_there(instance, path):
            with part_file(path) as part:
                for piece in _written(session, server, instance, part):
                    received += piece
                    progress(FetchProgress(len(paths), len(instances), received))
                check_identity(part, instance, server.title)
                _refuse_present(path)
                replace_file(part, path)
        paths.append(path)
        progress(FetchProgress(len(paths), len(instances), received, path))
    return paths


def stream_cine(
    session: GuardedSession, server: Server, instance: FoundInstance, folder: Path
) -> Generator[Arrival, None, None]:
    """Fetch a cine and yield how far it has come; see ``PacsClient.stream``."""
    path = path_of(instance, folder)
    if is_there(instance, path):
        cine = open_dicom(path)
        yield Arrival(cine, len(cine), len(cine), path.stat().st_size, path)
        return
    with part_file(path) as part, _Growing(part, path) as growing:
        shown, received = time.monotonic(), 0
        for piece in _written(session, server, instance, part):
            received += piece
            if growing.is_due(received) or time.monotonic() - shown >= _EVERY_SECONDS:
                yield growing.look(received)
                shown = time.monotonic()
        check_identity(part, instance, server.title)
        _refuse_present(path)
        yield growing.complete(received)


class _Growing:
    """The cine of a file that is being written."""

    def __init__(self, part: Path, path: Path) -> None:
        self._part = part
        self._path = path
        self._cine: ArrivingCine | None = None
        self._next_try = 1
        self._is_video = False

    def __enter__(self) -> _Growing:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None and self._cine is not None and not self._cine.is_complete:
            self._cine.fail(
                error_text(error) if isinstance(error, SegcamError) else "its cine was closed before it came."
            )

    def is_due(self, received: int) -> bool:
        """Whether the first frame may have become complete."""
        return self._cine is None and not self._is_video and received >= self._next_try

    def look(self, received: int) -> Arrival:
        """Return what can be read of the bytes that are there."""
        if self.is_due(received):
            self._next_try = received + max(_PIECE, received // 4)
            try:
                self._is_video = transfer_syntax_of(self._part) in MPEGTransferSyntaxes
                if not self._is_video:
                    self._cine = ArrivingCine(self._part, self._path)
            except Exception:  # the header or the first frame is not complete; if it is damaged, the end shows it
                self._cine = None
        elif self._cine is not None:
            self._cine.grow()
        cine = self._cine
        return Arrival(cine, cine.arrived if cine else 0, len(cine) if cine else None, received)

    def complete(self, received: int) -> Arrival:
        """Give the file its name, and return its cine."""
        if self._cine is not None:
            self._cine.complete(self._path)
            return Arrival(self._cine, len(self._cine), len(self._cine), received, self._path)
        replace_file(self._part, self._path)
        cine = open_dicom(self._path)
        return Arrival(cine, len(cine), len(cine), received, self._path)


def _written(session: GuardedSession, server: Server, instance: FoundInstance, part: Path) -> Iterator[int]:
    """Write an instance to a file as it comes, and yield how many bytes were written each time."""
    checked = 0
    begin = bytearray()
    with part.open("wb", buffering=0) as file:
        for piece in _content(session, server, instance):
            if len(begin) < _PREAMBLE:
                begin += piece[: _PREAMBLE - len(begin)]
                if len(begin) == _PREAMBLE and begin[128:] != b"DICM":
                    raise ServerError(f"What {server.title} sends as {instance.uid} is no DICOM file: it is not kept.")
            file.write(piece)
            checked += len(piece)
            if checked > _DISK_CHECKED:
                refuse_full_disk(part.parent)
                checked = 0
            yield len(piece)


def _content(session: GuardedSession, server: Server, instance: FoundInstance) -> Iterator[bytes]:
    """Yield the bytes of an instance's file as they come."""
    from dicomweb_client.uri import URI

    base = f"{server.url}/{server.wado}" if server.wado else server.url
    url = str(URI(base, instance.study_uid, instance.series_uid, instance.uid, permissive=True))
    with session.limits(FILE_BYTES, FILE_SECONDS):
        response = session.get(url, headers={"Accept": AS_STORED}, stream=True)
    with _closed(response):
        pieces = response.iter_content(_PIECE)
        kind = response.headers.get("Content-Type", "")
        boundary = boundary_of(kind)
        media_type = kind.partition(";")[0].strip().lower()
        if media_type == "application/dicom":
            yield from pieces
        elif media_type == "multipart/related" and boundary is not None:
            yield from first_part(pieces, boundary, server.title)
        elif response.status_code == 204:
            raise ServerError(f"{server.title} has nothing of {instance.uid}. It may have been deleted.")
        else:
            raise ServerError(f"{server.title} sends {media_type or 'something unnamed'} instead of a DICOM file.")


@contextmanager
def _closed(response: object) -> Iterator[None]:
    """Close an answer that was not read to its end: what is left of it would follow the next request."""
    try:
        yield
    finally:
        response.close()  # type: ignore[attr-defined]


def _refuse_present(path: Path) -> None:
    if path.exists():
        raise SegcamError(f"{path} has appeared meanwhile: it is not overwritten.")
