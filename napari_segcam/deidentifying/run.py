"""A run: de-identified copies of a file, or of all files in a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_segcam.deidentifying.dicom_copy import DicomCopier
from napari_segcam.deidentifying.header.rules import profile
from napari_segcam.deidentifying.log import CSV, JSON, write_log
from napari_segcam.deidentifying.new_names import NewNames
from napari_segcam.deidentifying.options import DeidentifyOptions
from napari_segcam.deidentifying.picture_copy import copy_picture
from napari_segcam.deidentifying.pixels.kept_region import check_region
from napari_segcam.deidentifying.pseudonyms import Pseudonyms
from napari_segcam.deidentifying.records import CopyRecord, Refusal
from napari_segcam.deidentifying.refusals import (
    DIRECTORY,
    OTHER_FILE,
    UNREADABLE,
    UNWRITABLE,
    RefusedError,
    StoppedError,
)
from napari_segcam.errors import SegcamError, error_text
from napari_segcam.files import is_within, natural_key, refuse_no_file
from napari_segcam.imaging.file_kind import DICOM_DIRECTORY, FileKind, kind_of, read_head

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class DeidentificationLog:
    """What a run did.

    Attributes:
        copies: one record for each copy.
        refusals: files without a copy.
        is_complete: False if the user stopped it.
        files: the log's own files.
    """

    copies: tuple[CopyRecord, ...]
    refusals: tuple[Refusal, ...]
    is_complete: bool
    files: tuple[Path, ...]


def deidentify(
    source: Path,
    out: Path,
    options: DeidentifyOptions | None = None,
    progress: Progress = lambda _done, _total, _words: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> DeidentificationLog:
    """Write de-identified copies of a file, or of all files in a folder and its subfolders, and a log.

    Args:
        source: file or folder; never changed.
        out: for a file, the file to write (or a folder that is there: the copy gets a new name in it); for a folder,
            a new or empty folder.
        options: how copies are made.
        progress: called after each file with the number of files done, of all files, and words for the user.
        cancelled: returns whether to stop; complete copies stay.

    Raises:
        SegcamError: if the paths or options cannot be used, or the only file is refused.
    """
    options = options or DeidentifyOptions()
    source, out = Path(source), Path(out)
    refuse_no_file(source)
    check_region(options.region)
    profile()
    _refuse_nested(source, out, options.mapping)
    pseudonyms = Pseudonyms() if options.mapping is None else Pseudonyms.of_mapping(options.mapping)
    run = _Run(options, pseudonyms, cancelled)
    if source.is_dir():
        return run.of_folder(source, out, progress)
    return run.of_file(source, out, progress)


class _Run:
    def __init__(self, options: DeidentifyOptions, pseudonyms: Pseudonyms, cancelled: Callable[[], bool]) -> None:
        self._options, self._pseudonyms, self._cancelled = options, pseudonyms, cancelled
        self._copier = DicomCopier(options, pseudonyms, cancelled)
        self._records: list[CopyRecord] = []
        self._refusals: list[Refusal] = []

    def of_file(self, source: Path, out: Path, progress: Progress) -> DeidentificationLog:
        if out.is_dir():
            folder = out
            names = NewNames(folder)
            self._copy(1, source, folder, names, None)
        else:
            folder = out.parent
            self._copy(1, source, folder, NewNames(folder), out)
        if self._refusals:
            raise SegcamError(self._refusals[0].message)
        progress(1, 1, self._records[0].copy if self._records else "")
        stem = folder / (Path(self._records[0].copy).with_suffix("") if self._records else "copy")
        return self._finish(stem.with_name(f"{stem.name}.{JSON}"), stem.with_name(f"{stem.name}.{CSV}"))

    def of_folder(self, source: Path, out: Path, progress: Progress) -> DeidentificationLog:
        _refuse_used_folder(out)
        files = _files_of(source)
        names, is_complete = NewNames(out), True
        for number, path in enumerate(files, start=1):
            if self._cancelled():
                is_complete = False
                break
            self._copy(number, path, out, names, None)
            progress(number, len(files), path.name)
        if not files:
            raise SegcamError(f"{source} holds no files.")
        return self._finish(out / JSON, out / CSV, is_complete=is_complete and not self._cancelled())

    def _copy(self, number: int, path: Path, folder: Path, names: NewNames, target: Path | None) -> None:
        """Make one copy, or note why there is none."""
        record = CopyRecord(number, "", "")
        try:
            if path.name.upper() == DICOM_DIRECTORY:
                raise RefusedError(
                    f"{path.name} is a directory of DICOM files: it lists patients. The files themselves are copied.",
                    DIRECTORY,
                )
            kind = _kind(path)
            if kind is FileKind.DICOM:
                copy = self._copier.copy(path, lambda clean, kind: target or names.of_object(clean, kind), record)
            else:

                def place(suffix: str) -> Path:
                    if target is None:
                        return names.of_picture(path.parent, record.kind, suffix)
                    if target.suffix.lower() != suffix:
                        raise RefusedError(
                            f"The copy of {path.name} is a {suffix} file, but you gave the name {target.name}. Give "
                            f"{target.with_suffix(suffix).name}.",
                            UNWRITABLE,
                        )
                    return target

                copy = copy_picture(path, kind, self._options, place, record, self._cancelled)
        except StoppedError:
            return
        except SegcamError as error:
            reason = error.reason if isinstance(error, RefusedError) else UNREADABLE
            self._refusals.append(Refusal(number, path.name, str(error), reason))
            return
        record.copy = copy.relative_to(folder).as_posix()
        self._records.append(record)

    def _finish(self, json_path: Path, csv_path: Path, *, is_complete: bool = True) -> DeidentificationLog:
        write_log(json_path, csv_path, self._options, self._records, self._refusals)
        if self._options.mapping is not None:
            self._pseudonyms.save(self._options.mapping)
        return DeidentificationLog(
            tuple(self._records), tuple(self._refusals), is_complete and not self._cancelled(), (json_path, csv_path)
        )


def _kind(path: Path) -> FileKind:
    try:
        kind = kind_of(read_head(path))
    except SegcamError as error:
        raise RefusedError(error, OTHER_FILE) from error
    if kind is None:
        raise RefusedError(
            f"{path.name} is not an image that can be read: it is not copied, as it may name patients.", OTHER_FILE
        )
    return kind


def _files_of(folder: Path) -> Sequence[Path]:
    """Return all files of a folder and its subfolders, in the natural order of their paths.

    Raises:
        SegcamError: if it cannot be read.
    """
    try:
        files = [path for path in folder.rglob("*") if path.is_file() or path.is_symlink()]
    except OSError as error:
        raise SegcamError(f"{folder} cannot be read: {error_text(error)}.") from error
    return sorted((path for path in files if not path.is_dir()), key=lambda path: natural_key(str(path)))


def _refuse_nested(source: Path, out: Path, mapping: Path | None) -> None:
    """Refuse an output that would lie within the input, the other way around, or replace it.

    Raises:
        SegcamError: if so.
    """
    in_source, in_out = is_within(out, source), is_within(source, out)
    if in_source and in_out:
        raise SegcamError("IN and OUT are the same. The copies need a place of their own.")
    if source.is_dir() and (in_source or in_out):
        raise SegcamError(f"{out} and {source} lie within each other. The copies need a place of their own.")
    if in_source:
        raise SegcamError(f"{out} would be inside the file {source}. Give another place for the copy.")
    if mapping is not None:
        if mapping.is_dir():
            raise SegcamError(f"{mapping} is a folder. The mapping is a file.")
        if is_within(mapping, out) or is_within(source, mapping):
            raise SegcamError("The mapping identifies patients: keep it outside the folder of the copies.")


def _refuse_used_folder(out: Path) -> None:
    """Refuse a folder that is not empty, or no folder.

    Raises:
        SegcamError: if so.
    """
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise SegcamError(f"{out} is there already and not an empty folder: nothing is overwritten. Give another.")
    except OSError as error:
        raise SegcamError(f"{out} cannot be read: {error_text(error)}.") from error
