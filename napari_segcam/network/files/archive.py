"""Zip archives as torch writes them. One whose table of contents is misleading is refused."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path
from types import TracebackType
from typing import IO

from napari_segcam.budget import UNPACKED_BYTES
from napari_segcam.errors import SegcamError

# Torch does not compress its records. An archive that grows much when it is read is meant to fill the memory.
_LARGEST_GROWTH = 8
_MOST_RECORDS = 200_000


class Archive:
    """A zip archive; each record is read in full and its checksum verified.

    Attributes:
        path: of the file.
        sizes: of the records in bytes, by name, without torch's top folder.
    """

    def __init__(self, path: Path, stream: IO[bytes] | None = None, *, compresses: bool = False) -> None:
        """Open an archive. One that torch would not have written is refused before any record is read.

        Args:
            path: of the file.
            stream: the archive itself, where it is inside that file.
            compresses: whether another program than torch wrote it, so that small records may be compressed strongly.

        Raises:
            SegcamError: if it is damaged, encrypted or misleading.
            OSError: if the file cannot be read.
        """
        self.path = path
        self._spare = UNPACKED_BYTES if compresses else 0
        file_size = path.stat().st_size if stream is None else stream.seek(0, io.SEEK_END)
        try:
            self._zip = zipfile.ZipFile(path if stream is None else stream)
            entries = self._zip.infolist()
        except OSError:
            raise
        except Exception as error:  # zipfile raises several kinds for damaged bytes
            raise SegcamError(f"{path} is damaged or cut short ({error}). Copy or download it again.") from error
        try:
            self._check(entries, file_size)
        except SegcamError:
            self.close()
            raise
        root = _common_folder([entry.filename for entry in entries])
        self._entries = {entry.filename.removeprefix(root): entry for entry in entries if not entry.is_dir()}
        self.sizes = {name: entry.file_size for name, entry in self._entries.items()}

    def _check(self, entries: list[zipfile.ZipInfo], file_size: int) -> None:
        names = [entry.filename for entry in entries]
        if any(entry.flag_bits & 0x1 for entry in entries):
            raise SegcamError(f"{self.path} is an encrypted archive. Unpack it with its password first.")
        declared = [sum(entry.file_size for entry in entries), sum(entry.compress_size for entry in entries)]
        most = max(_LARGEST_GROWTH * file_size, self._spare)
        if declared[0] > most or declared[1] > file_size or len(names) > _MOST_RECORDS:
            raise SegcamError(f"{self.path} claims to hold far more than its size allows. It is not opened.")
        if len(set(names)) < len(names):
            raise SegcamError(f"{self.path} holds two records of one name, as no checkpoint does. It is not opened.")
        if any(name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/") for name in names):
            raise SegcamError(f"{self.path} names files outside of itself, as no checkpoint does. It is not opened.")

    def read(self, name: str) -> bytes:
        """Return the bytes of a record.

        Raises:
            SegcamError: if there is no such record, or it is damaged.
        """
        if name not in self._entries:
            raise SegcamError(f"{self.path} is damaged or cut short: {name} is missing. Copy or download it again.")
        try:
            content = self._zip.read(self._entries[name])
        except Exception as error:  # zipfile and the decompressors raise several kinds
            raise SegcamError(f"{self.path} is damaged or cut short ({error}). Copy or download it again.") from error
        if len(content) != self.sizes[name]:
            raise SegcamError(f"{self.path} is damaged or cut short: {name} is incomplete. Copy or download it again.")
        return content

    def extract(self, folder: Path) -> None:
        """Write all records into a folder, under their names.

        Raises:
            SegcamError: if a record is damaged, or its name is none of a file on every system.
            OSError: if the disk is full, or the folder cannot be written.
        """
        for name, entry in self._entries.items():
            if any(letter in name for letter in ':\\\0*?"<>|') or name != name.strip():
                raise SegcamError(f"{self.path} holds a file with an unusual name ({name}). It is not opened.")
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with self._zip.open(entry) as source, target.open("xb") as file:
                    shutil.copyfileobj(source, file)
            except OSError:
                raise
            except Exception as error:  # zipfile and the decompressors raise several kinds
                raise SegcamError(
                    f"{self.path} is damaged or cut short ({error}). Copy or download it again."
                ) from error
            if target.stat().st_size != self.sizes[name]:
                raise SegcamError(
                    f"{self.path} is damaged or cut short: {name} is incomplete. Copy or download it again."
                )

    def close(self) -> None:
        self._zip.close()

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _common_folder(names: list[str]) -> str:
    """Return the folder that all records are in, with its slash; empty where there is none."""
    folders = {name.partition("/")[0] for name in names}
    if len(folders) == 1 and all("/" in name for name in names):
        return f"{folders.pop()}/"
    return ""
