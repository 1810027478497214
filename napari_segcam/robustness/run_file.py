"""The files of a run while it goes: ``robustness.csv``, row by row, and the settings in ``robustness.json``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.files import as_cell, json_bytes, whole_file
from napari_segcam.robustness.columns import FRAME_COLUMNS, Key, Row, key_of, row_of_cells

TABLE, RECORD = "robustness.csv", "robustness.json"
FORMAT = 1

_MOVABLE = {"model.checkpoint"}
"""Settings that the figures do not depend on: a file may have another name."""


class RowStore:
    """The rows of a run, in the order in which they were measured; without a folder, in memory alone.

    Attributes:
        rows: all of them.
    """

    def __init__(self, folder: Path | None) -> None:
        self.rows: list[Row] = []
        self._path = None if folder is None else folder / TABLE
        self._keys: set[Key] = set()

    def load(self) -> None:
        """Read the rows of an earlier run that was stopped; what it was writing when it was killed is cut off.

        Raises:
            SegcamError: if the table is there, but is not one of these.
        """
        if self._path is None or not self._path.exists():
            return
        try:
            data = self._path.read_bytes()
            whole = data[: data.rfind(b"\n") + 1]
            table = csv.DictReader(io.StringIO(whole.decode("utf-8"), newline=""))
            if whole and list(table.fieldnames or ()) != list(FRAME_COLUMNS):
                raise ValueError("it has other columns")
            rows = [row_of_cells(cells) for cells in table]
            if whole != data:
                with self._path.open("r+b") as file:
                    file.truncate(len(whole))
        except (OSError, ValueError, KeyError, csv.Error) as error:
            raise SegcamError(f"{self._path} cannot be resumed: {error_text(error)}. Choose another --out.") from error
        self.rows = rows
        self._keys = {key_of(row) for row in rows}

    def has(self, key: Key) -> bool:
        """Return whether there is a row of this key."""
        return key in self._keys

    def add(self, rows: Sequence[Row]) -> None:
        """Add rows, and write them at once.

        Raises:
            SegcamError: if they cannot be written.
        """
        new = [row for row in rows if key_of(row) not in self._keys]
        if self._path is not None and new:
            try:
                with self._path.open("a", newline="", encoding="utf-8") as file:
                    table = csv.DictWriter(file, list(FRAME_COLUMNS))
                    if file.tell() == 0:
                        table.writeheader()
                    for row in new:
                        table.writerow(
                            {name: as_cell(one) if isinstance(one, str) else one for name, one in row.items()}
                        )
            except OSError as error:
                raise SegcamError(f"{self._path} cannot be written: {error_text(error)}.") from error
        self.rows += new
        self._keys |= {key_of(row) for row in new}


@contextmanager
def locked(folder: Path | None) -> Iterator[None]:
    """Keep other processes from measuring into a folder at the same time.

    Raises:
        SegcamError: if another one does, or the folder cannot be written to.
    """
    if folder is None:
        yield
        return
    if folder.exists() and not folder.is_dir():
        raise SegcamError(f"{folder} is a file: give a folder to write to with --out.")
    lock = FileLock(folder / ".lock", timeout=0, thread_local=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise SegcamError(f"Another measurement is running in {folder}: wait, or choose another --out.") from None
    except OSError as error:
        raise SegcamError(f"{folder} cannot be written to: {error_text(error)}.") from error
    try:
        yield
    finally:
        lock.release()


def refuse_other_run(folder: Path | None, settings: Mapping[str, Any]) -> None:
    """Refuse a folder that holds other files, or a run with other settings: their rows must not be mixed.

    Raises:
        SegcamError: if so, or if its settings cannot be read.
    """
    if folder is None or not folder.exists():
        return
    if not folder.is_dir():
        raise SegcamError(f"{folder} is a file: give a folder to write to with --out.")
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}  # a lock, or a part of a file
    if not names:
        return
    if RECORD not in names:
        raise SegcamError(f"The folder {folder} holds other files: give a new one with --out.")
    try:
        old = dict(json.loads((folder / RECORD).read_text(encoding="utf-8")))["settings"]
        given = _flat(json.loads(json_bytes(dict(settings))))
        before = _flat(old)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SegcamError(f"{folder / RECORD} cannot be read: {error_text(error)}. Choose another --out.") from error
    for name in sorted(given.keys() | before.keys()):
        if name not in _MOVABLE and given.get(name) != before.get(name):
            raise SegcamError(
                f"The folder {folder} holds another run: {name} is {_short(before.get(name))} there and "
                f"{_short(given.get(name))} here. Choose another --out."
            )


def write_record(folder: Path | None, settings: Mapping[str, Any], results: Mapping[str, Any] | None = None) -> None:
    """Write ``robustness.json``: the settings, and the results of a run that is finished.

    Raises:
        SegcamError: if it cannot be written.
    """
    if folder is None:
        return
    content = {"format": FORMAT, "finished": results is not None, "settings": settings, **(results or {})}
    with whole_file(folder / RECORD) as path:
        path.write_bytes(json_bytes(content, indent=2))


def was_started(folder: Path | None) -> bool:
    """Return whether a folder holds a run."""
    with suppress(OSError):
        return folder is not None and (folder / RECORD).exists()
    return False


def _flat(settings: Mapping[str, Any], beginning: str = "") -> dict[str, Any]:
    """Return nested settings with dotted names."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict) and value:
            found |= _flat(value, f"{beginning}{name}.")
        else:
            found[beginning + name] = value
    return found


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}…"
