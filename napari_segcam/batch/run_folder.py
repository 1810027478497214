"""The folder of a run: its settings, one record per image, and the tables of all results.

Every file is written completely or not at all, and the record of an image after its other files. So a run can be killed
at any moment: an image that has a record is finished.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from napari_segcam.batch.image_processing import ProcessedImage
from napari_segcam.batch.images import BatchImage
from napari_segcam.batch.tables import write_errors, write_parquet, write_results
from napari_segcam.errors import SegcamError, error_text
from napari_segcam.files import json_bytes, sha256_of, whole_file
from napari_segcam.remedies import remedy
from napari_segcam.reporting.run_format import COLUMNS, FORMAT, RESULTS_SCHEMA, Row, present_run
from napari_segcam.version import __version__

# Settings that the results do not depend on: the data may have been moved.
_IRRELEVANT = {"started", "given", "data.source", "data.truth", "data.count", "data.found", "model.checkpoint"}
_SINCE_SCHEMA_2 = ("results_schema", "metrics")
"""Parts of the settings that ``run.json`` of an earlier version does not have."""


class RunFolder:
    """The folder that a run writes to, and from which it is resumed.

    Args:
        path: of the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from starting or resuming a run here. A process that is killed leaves no lock.

        Raises:
            SegcamError: if another process has the lock, or the folder cannot be written to.
        """
        if self.path.exists() and not self.path.is_dir():
            raise SegcamError(f"{self.path} is a file: the results need a folder.")
        # The lock file is never deleted: a process that waits for a deleted file would share the folder with the next.
        lock = FileLock(self.path / ".lock", timeout=0, thread_local=False)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            raise SegcamError(
                f"Another batch is running in {self.path}: wait until it ends, or choose another {remedy('out')}."
            ) from None
        except OSError as error:
            raise SegcamError(f"{self.path} cannot be written to: {error_text(error)}.") from error
        try:
            yield
        finally:
            lock.release()

    def settings(self) -> dict[str, Any] | None:
        """Return the settings of the run in this folder, with the names of today; None if there is no run.

        Raises:
            SegcamError: if they cannot be read.
        """
        try:
            text = (self.path / "run.json").read_text(encoding="utf-8")
            return present_run(dict(json.loads(text)))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, TypeError) as error:
            raise SegcamError(
                f"{self.path / 'run.json'} cannot be read: {error_text(error)}. Choose another {remedy('out')}."
            ) from error

    def start(self, settings: Mapping[str, Any]) -> None:
        """Start a run, or resume the run in this folder if it is the same. The folder must be locked.

        Raises:
            SegcamError: if the folder holds another run, or cannot be written to.
        """
        new = {"format": FORMAT, "results_schema": RESULTS_SCHEMA, "napari_segcam": __version__, **settings}
        old = self.settings()
        if old is not None:
            is_current = old.get("results_schema") == RESULTS_SCHEMA
            # An earlier version measured less, so all of its images are processed again.
            known = old if is_current else {**old, **{name: new[name] for name in _SINCE_SCHEMA_2 if name in new}}
            self._check_same(known, json.loads(json.dumps(new)))
            self._remove_partial_files()
            if is_current:
                return
            new["started"] = old.get("started")
        else:
            new["started"] = datetime.now(UTC).isoformat(timespec="seconds")
        self._write("run.json", json_bytes(new, indent=2))

    def is_done(self, image: BatchImage) -> bool:
        """Return whether an image has results, made from its files as they are now."""
        record = self.record(image)
        if record is None or not all(COLUMNS.keys() <= row.keys() for row in record["rows"] if isinstance(row, dict)):
            return False  # an earlier version made it, with fewer columns
        try:
            truth_sha256 = image.truth_sha256()
            is_same = record.get("sha256") == sha256_of(image.file) and record.get("truth_sha256") == truth_sha256
        except SegcamError:  # a file is gone or unreadable: processing the image will report it
            return False
        sheet = record.get("sheet")
        return is_same and (sheet is None or (self._folder(image) / str(sheet)).is_file())

    def record(self, image: BatchImage) -> dict[str, Any] | None:
        """Return the results of an image; None if there are none, or they cannot be read."""
        with suppress(OSError, ValueError, RecursionError):
            record = json.loads((self._folder(image) / "record.json").read_text(encoding="utf-8"))
            if isinstance(record, dict) and isinstance(record.get("rows"), list):
                return record
        return None

    def delete(self, image: BatchImage) -> None:
        """Delete the files of an image, the record first.

        Raises:
            SegcamError: if they cannot be deleted.
        """
        try:
            (self._folder(image) / "record.json").unlink(missing_ok=True)
            shutil.rmtree(self._folder(image), ignore_errors=True)
        except OSError as error:
            raise SegcamError(f"{self._folder(image)} cannot be deleted: {error_text(error)}.") from error

    def save(self, image: BatchImage, processed: ProcessedImage) -> None:
        """Write the results of an image.

        Raises:
            SegcamError: if the folder cannot be written to, or was deleted.
        """
        self.check_exists()
        for name, data in processed.files.items():
            self._write(name, data)
        self._write(f"images/{image.key}/record.json", json_bytes(processed.record))

    def check_exists(self) -> None:
        """Check that nobody has deleted the folder, and the results in it, while the run was going on.

        Raises:
            SegcamError: if so.
        """
        if not (self.path / "run.json").is_file():
            raise SegcamError(
                f"{self.path} and the results in it were deleted while the batch was running. The same command starts "
                "from the beginning."
            )

    def write_tables(
        self, images: Sequence[BatchImage], errors: Mapping[str, str], *, done: Container[str] = (), parquet: bool
    ) -> None:
        """Write the tables of all results, in the order of the images.

        Args:
            images: of the run.
            errors: by image name.
            done: names of the images that must have results.
            parquet: whether to write the results as Parquet too.

        Raises:
            SegcamError: if the folder cannot be written to, or results were deleted from it; the tables are then
                written without them.
        """
        self.check_exists()
        write_results(self.path / "results.csv", self._rows(images))
        write_errors(
            self.path / "errors.csv",
            [(image.display_name, errors[image.name]) for image in images if image.name in errors],
        )
        if parquet:
            write_parquet(self.path / "results.parquet", self._rows(images))
        missing = [image.display_name for image in images if image.name in done and self.record(image) is None]
        if missing:
            raise SegcamError(
                f"{len(missing)} results, for example of {missing[0]}, were deleted from {self.path} while the batch "
                "was running. The same command makes them again."
            )

    def _rows(self, images: Sequence[BatchImage]) -> Iterator[Row]:
        for image in images:
            record = self.record(image)
            if record is not None:
                yield from record["rows"]

    def _check_same(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        differences = list(_differences(old, new))
        if differences:
            raise SegcamError(
                f"{self.path} holds another run: {'; '.join(differences[:3])}. Choose another {remedy('out')}, or "
                "delete this folder to start again."
            )

    def _remove_partial_files(self) -> None:
        """Delete the incomplete files of a killed process."""
        for partial_file in self.path.rglob(".*.part"):
            with suppress(OSError):
                partial_file.unlink()

    def _folder(self, image: BatchImage) -> Path:
        return self.path / "images" / image.key

    def _write(self, name: str, data: bytes) -> None:
        with whole_file(self.path / name) as path:
            path.write_bytes(data)


def _differences(old_run: Mapping[str, Any], new_run: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Describe the differences between the settings of two runs."""
    for key in dict.fromkeys([*old_run, *new_run]):
        name = f"{prefix}{key}"
        old, new = old_run.get(key), new_run.get(key)
        if name in _IRRELEVANT or old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differences(old, new, f"{name}.")
        elif name == "data.images_sha256":
            yield "it has other images or other true masks"
        elif name == "evidence":
            yield f"evidence was {_evidence_words(old)}, now {_evidence_words(new)}"
        elif name == "model.sha256":
            yield f"it has another model (weights {str(old)[:12]}…, now {str(new)[:12]}…)"
        else:
            yield f"{name.rpartition('.')[2].replace('_', ' ')} was {_as_text(old)}, now {_as_text(new)}"


def _evidence_words(evidence: Any) -> str:
    """Return what a run measures, from the part ``evidence`` of its settings."""
    return ", ".join(map(str, evidence.get("measures", ()))) if isinstance(evidence, dict) else "not measured"


def _as_text(value: Any) -> str:
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    text = "none" if value in (None, "") else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
