"""Files: none is ever left half-written, their names go with every system, and sums tell what is in them."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from napari_segcam.errors import SegcamError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to, which takes the place of ``path`` once the writing has succeeded.

    Raises:
        SegcamError: if the file cannot be written there.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise SegcamError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_table(path: Path, columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as CSV; None becomes an empty cell.

    Raises:
        SegcamError: if the file cannot be written.
    """
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(columns))
        table.writeheader()
        table.writerows(rows)


def safe_name(text: str) -> str:
    """A text as a file name that every system takes: letters and digits of any script, and ``. _ - +``."""
    return re.sub(r"[^\w.+-]", "_", text).strip(".") or "_"


def sha256_of(path: Path) -> str:
    """The checksum of a file, or of a folder's visible files and their names.

    Raises:
        SegcamError: if it cannot be read.
    """
    try:
        if not path.is_dir():
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        files = sorted(one for one in path.iterdir() if one.is_file() and not one.name.startswith("."))
    except FileNotFoundError:
        raise SegcamError(f"There is no file {path}.") from None
    except OSError as error:
        raise SegcamError(f"{path} cannot be read: {error.strerror or error}.") from error
    sums = "".join(f"{sha256_of(one)}  {one.name}\n" for one in files)
    return hashlib.sha256(sums.encode("utf-8", "surrogateescape")).hexdigest()
