"""Files: written completely or not at all, with names that every system accepts, and their checksums."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import stat
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from napari_segcam.errors import SegcamError, error_text, is_unprintable

# Spreadsheets read such cells as formulas, full-width characters included.
_FORMULA_BEGINS = ("=", "+", "-", "@", "'", "＝", "＋", "－", "＠")

# Names of devices on Windows, whatever their suffix.
_DEVICE_NAMES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{number}" for port in ("COM", "LPT") for number in range(10))}

_REPLACE_WAITS = (
    (0.01, 0.05, 0.1, 0.3, 0.5) if sys.platform == "win32" else ()
)  # elsewhere an open file may be replaced

_LONGEST_NAME = 160  # bytes; most systems accept 255, and a suffix and a frame number are added


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; it replaces ``path`` if the writing succeeds.

    Raises:
        SegcamError: if the file cannot be written there.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        replace_file(temporary, path)
    except OSError as error:
        raise SegcamError(f"{path} cannot be written: {error_text(error)}.") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def replace_file(source: Path, target: Path) -> None:
    """Move a file over another at once; while another program holds the target open, try again for a second.

    On Windows, a virus scanner or an indexer that looks at a new file makes the move fail for a moment.

    Raises:
        OSError: if it cannot be moved.
    """
    for wait in _REPLACE_WAITS:
        try:
            source.replace(target)
        except PermissionError:
            time.sleep(wait)
        else:
            return
    source.replace(target)


def remove_file(path: Path) -> None:
    """Remove a file, if it is there.

    Raises:
        SegcamError: if it cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise SegcamError(
            f"{path} is outdated, but cannot be removed: {error_text(error)}. Close it in other programs, "
            "and try again."
        ) from error


def is_within(path: Path, folder: Path) -> bool:
    """Return whether a path is a folder or is inside it; neither has to exist.

    On macOS, names in upper and lower case are the same place but not the same path, so places are compared too.
    """
    resolved = path.resolve()
    if resolved.is_relative_to(folder.resolve()):
        return True
    for place in (resolved, *resolved.parents):
        with suppress(OSError):  # one of them does not exist
            if place.samefile(folder):
                return True
    return False


def write_table(path: Path, columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as CSV; None becomes an empty cell, and texts are written as by ``as_cell``.

    Raises:
        SegcamError: if the file cannot be written.
    """
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(columns))
        table.writeheader()
        for row in rows:
            table.writerow({name: as_cell(value) if isinstance(value, str) else value for name, value in row.items()})


def as_cell(text: str) -> str:
    """Return a text as a cell of a table, which a spreadsheet shows and never computes.

    A text that begins with ``= + - @`` or an apostrophe, or holds characters that cannot be printed, gets an apostrophe
    in front; in such a text these characters are written as in Python (``\\n``, ``\\x1b``), and a backslash twice.
    ``from_cell`` is the inverse.
    """
    if not text.startswith(_FORMULA_BEGINS) and not any(map(is_unprintable, text)):
        return text
    escaped = text.replace("\\", r"\\")
    return "'" + "".join(
        letter.encode("unicode_escape").decode() if is_unprintable(letter) else letter for letter in escaped
    )


def from_cell(cell: str) -> str:
    """Return the text of a cell that ``as_cell`` wrote."""
    if not cell.startswith("'"):
        return cell
    return re.sub(
        r"\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[\\nrt])",
        lambda escape: escape[0].encode().decode("unicode_escape"),
        cell[1:],
    )


def json_bytes(value: Any, indent: int | None = None) -> bytes:
    """Return a value as JSON; letters of all scripts are kept where possible, so that people can read it.

    Raises:
        ValueError: if it holds NaN or an infinity, which JSON has no way to write.
    """
    try:
        return json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:  # a file name with bytes that are not text
        return json.dumps(value, indent=indent, allow_nan=False).encode()


def safe_name(text: str) -> str:
    """Return a text as a file name that every system accepts: letters and digits of any script, and ``. _ - +``.

    A long name is cut, and a checksum of the text is added.
    """
    name = re.sub(r"[^\w.+-]", "_", text).strip(".") or "_"
    if name.partition(".")[0].upper() in _DEVICE_NAMES:
        name = f"_{name}"
    if len(name.encode("utf-8", "replace")) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return f"{name[: _LONGEST_NAME // 4]}-{digest}"


def natural_key(name: str) -> tuple[list[str | tuple[int, str]], str]:
    """Return the key that sorts names as people do: frame2 before frame10, in upper or lower case.

    Names that differ only by case or by leading zeros follow one another in the order of their characters.
    """
    parts = re.split(r"(\d+)", name.casefold())
    numbers = [part.lstrip("0") for part in parts[1::2]]
    key: list[str | tuple[int, str]] = [*parts]
    key[1::2] = [(len(digits), digits) for digits in numbers]  # as numbers compare, however many digits they have
    return key, name


def refuse_no_file(path: Path) -> None:
    """Refuse a path that is neither a file nor a folder: reading a pipe or a socket may wait forever.

    Raises:
        SegcamError: if so, or if there is nothing at the path.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        where = "The link leads to no file:" if os.path.islink(path) else "There is no file"
        raise SegcamError(f"{where} {path}.") from None
    except (OSError, ValueError) as error:
        raise SegcamError(f"{path} cannot be read: {error_text(error)}.") from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise SegcamError(f"{path} is neither a file nor a folder, but a pipe, a socket or a device.")


def sha256_of(path: Path) -> str:
    """Return the checksum of a file, or of a folder's visible files and their names.

    Raises:
        SegcamError: if it cannot be read.
    """
    refuse_no_file(path)
    try:
        if not path.is_dir():
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    except FileNotFoundError:
        raise SegcamError(f"There is no file {path}.") from None
    except OSError as error:
        raise SegcamError(f"{path} cannot be read: {error_text(error)}.") from error
    sums = "".join(f"{sha256_of(file)}  {file.name}\n" for file in files)
    return hashlib.sha256(sums.encode("utf-8", "surrogateescape")).hexdigest()
