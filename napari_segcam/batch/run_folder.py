"""The folder of a run: what the run is, one record per image, and the tables made of them.

Every file is written whole or not at all, and an image's record last of all its files, so that a run can be killed at
any moment: an image that has a record is done.
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
from napari_segcam.reporting.run_format import FORMAT, Row
from napari_segcam.version import __version__

# What describes a run without deciding its results: the same data may have been moved.
_FREE = {"started", "given", "data.source", "data.truth", "data.count", "data.found", "model.checkpoint"}


class RunFolder:
    """Where one run writes, and where it goes on when it is begun again.

    Args:
        path: of the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Meanwhile nobody else begins or goes on with a run here; a process that is killed leaves no lock.

        Raises:
            SegcamError: if somebody else is at it, or the folder cannot be written to.
        """
        if self.path.exists() and not self.path.is_dir():
            raise SegcamError(f"{self.path} is a file: the results need a folder.")
        # The file stays: whoever waits for one that is removed would share the folder with the next.
        lock = FileLock(self.path / ".lock", timeout=0, thread_local=False)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            raise SegcamError(
                f"Another batch is at work in {self.path}: wait until it ends, or choose another --out."
            ) from None
        except OSError as error:
            raise SegcamError(f"{self.path} cannot be written to: {error_text(error)}.") from error
        try:
            yield
        finally:
            lock.release()

    def settings(self) -> dict[str, Any] | None:
        """What the run that was begun here is; None if there is none.

        Raises:
            SegcamError: if that cannot be read.
        """
        try:
            text = (self.path / "run.json").read_text(encoding="utf-8")
            return dict(json.loads(text))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, TypeError) as error:
            raise SegcamError(
                f"{self.path / 'run.json'} cannot be read: {error_text(error)}. Choose another --out."
            ) from error

    def begin(self, settings: Mapping[str, Any]) -> None:
        """Begin a run, or go on with the one that is here if it is the same; the folder must be locked.

        Raises:
            SegcamError: if another run is here, or the folder cannot be written to.
        """
        wanted = {"format": FORMAT, "napari_segcam": __version__, **settings}
        there = self.settings()
        if there is not None:
            self._refuse_other(there, json.loads(json.dumps(wanted)))
            self._tidy()
            return
        wanted["started"] = datetime.now(UTC).isoformat(timespec="seconds")
        self._write("run.json", json_bytes(wanted, indent=2))

    def done(self, image: BatchImage) -> bool:
        """Whether an image's result is here, and made from the files as they are now."""
        record = self.record(image)
        if record is None:
            return False
        try:
            truth = image.truth_sha256()
            same = record.get("sha256") == sha256_of(image.file) and record.get("truth_sha256") == truth
        except SegcamError:  # it has gone, or can no longer be read: its turn will tell
            return False
        sheet = record.get("sheet")
        return same and (sheet is None or (self._folder(image) / str(sheet)).is_file())

    def record(self, image: BatchImage) -> dict[str, Any] | None:
        """An image's result; None where there is none that can be read."""
        with suppress(OSError, ValueError, RecursionError):
            record = json.loads((self._folder(image) / "record.json").read_text(encoding="utf-8"))
            if isinstance(record, dict) and isinstance(record.get("rows"), list):
                return record
        return None

    def forget(self, image: BatchImage) -> None:
        """Remove what is here of an image, the record first.

        Raises:
            SegcamError: if it cannot be removed.
        """
        try:
            (self._folder(image) / "record.json").unlink(missing_ok=True)
            shutil.rmtree(self._folder(image), ignore_errors=True)
        except OSError as error:
            raise SegcamError(f"{self._folder(image)} cannot be removed: {error_text(error)}.") from error

    def keep(self, image: BatchImage, examined: ProcessedImage) -> None:
        """Write an image's result.

        Raises:
            SegcamError: if the folder cannot be written to, or is no longer that of the run.
        """
        self.refuse_gone()
        for place, data in examined.files.items():
            self._write(place, data)
        self._write(f"images/{image.key}/record.json", json_bytes(examined.record))

    def refuse_gone(self) -> None:
        """Refuse to go on in a folder that somebody has removed: what was done is lost.

        Raises:
            SegcamError: if so.
        """
        if not (self.path / "run.json").is_file():
            raise SegcamError(
                f"{self.path} was removed while the batch was at work in it, and what was done with it. Give the same "
                "command again to start from the beginning."
            )

    def assemble(
        self, images: Sequence[BatchImage], errors: Mapping[str, str], *, done: Container[str] = (), parquet: bool
    ) -> None:
        """Write the tables of all results that are here, in the order of the images.

        Args:
            images: of the run.
            done: names of those whose results must be here.
            errors: by image name.
            parquet: whether the results are written as Parquet too.

        Raises:
            SegcamError: if the folder cannot be written to, or results have gone from it; the tables are then of those
                that are left.
        """
        self.refuse_gone()
        write_results(self.path / "results.csv", self._rows(images))
        write_errors(
            self.path / "errors.csv", [(image.printed, errors[image.name]) for image in images if image.name in errors]
        )
        if parquet:
            write_parquet(self.path / "results.parquet", self._rows(images))
        gone = [image.printed for image in images if image.name in done and self.record(image) is None]
        if gone:
            raise SegcamError(
                f"{len(gone)} results were removed from {self.path} while the batch was at work in it, that of "
                f"{gone[0]} among them. The same command makes them again."
            )

    def _rows(self, images: Sequence[BatchImage]) -> Iterator[Row]:
        for image in images:
            record = self.record(image)
            if record is not None:
                yield from record["rows"]

    def _refuse_other(self, there: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        differences = list(_differences(there, wanted))
        if differences:
            raise SegcamError(
                f"{self.path} holds another run: {'; '.join(differences[:3])}. Choose another --out, or delete that "
                "folder to begin anew."
            )

    def _tidy(self) -> None:
        """Remove what a killed process left half-written."""
        for left in self.path.rglob(".*.part"):
            with suppress(OSError):
                left.unlink()

    def _folder(self, image: BatchImage) -> Path:
        return self.path / "images" / image.key

    def _write(self, place: str, data: bytes) -> None:
        with whole_file(self.path / place) as path:
            path.write_bytes(data)


def _differences(there: Mapping[str, Any], wanted: Mapping[str, Any], within: str = "") -> Iterator[str]:
    """What one run has otherwise than another, in words."""
    for key in dict.fromkeys([*there, *wanted]):
        name = f"{within}{key}"
        old, new = there.get(key), wanted.get(key)
        if name in _FREE or old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differences(old, new, f"{name}.")
        elif name == "data.images_sha256":
            yield "its images or their true masks are others, or more or fewer"
        elif name == "model.sha256":
            yield f"its model is another one (weights {str(old)[:12]}…, now {str(new)[:12]}…)"
        else:
            yield f"{name.rpartition('.')[2].replace('_', ' ')} was {_shown(old)}, now {_shown(new)}"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    text = "none" if value in (None, "") else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
