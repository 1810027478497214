"""Writing a comparison: a folder of tables, record and report that is complete, or not there."""

from __future__ import annotations

import shutil
import tempfile
from datetime import datetime
from pathlib import Path

from napari_segcam.comparing.cases import CASE_COLUMNS
from napari_segcam.comparing.comparison import Comparison
from napari_segcam.comparing.mask_comparison import FRAME_COLUMNS
from napari_segcam.comparing.page import page_of
from napari_segcam.errors import SegcamError, error_text
from napari_segcam.files import json_bytes, remove_file, replace_file, whole_file, write_table
from napari_segcam.reporting.explanation_record import replace_nonfinite
from napari_segcam.reporting.report.html import write_html
from napari_segcam.reporting.report.pdf import write_pdf

FILES = ("comparison.csv", "cases.csv", "comparison.json", "comparison.html", "comparison.pdf")


def refuse_folder(folder: Path) -> None:
    """Refuse a folder that a comparison cannot be written to: call it before the work, not after it.

    An earlier comparison in it is replaced; other files stay.

    Raises:
        SegcamError: if it is a file, or holds other files and no comparison.
    """
    if folder.is_dir():
        names = {path.name for path in folder.iterdir()}
        if names and not names & set(FILES):
            raise SegcamError(f"The folder {folder} holds other files: give a new one with --out.")
    elif folder.exists():
        raise SegcamError(f"{folder} is a file: give a folder to write to with --out.")


def write_comparison(folder: Path, comparison: Comparison, *, pdf: bool = True) -> list[Path]:
    """Write ``comparison.csv``, ``cases.csv``, ``comparison.json``, ``comparison.html`` and ``comparison.pdf``.

    Args:
        folder: of the files; an earlier comparison in it is replaced.
        comparison: to be written.
        pdf: whether to write the PDF.

    Returns:
        The files.

    Raises:
        SegcamError: if a file cannot be written, or a package of the extra ``report`` is missing.
    """
    refuse_folder(folder)
    document = page_of(comparison, datetime.now().astimezone())
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    except OSError as error:
        raise SegcamError(f"{folder} cannot be written: {error_text(error)}.") from error
    try:
        write_table(unfinished / "comparison.csv", FRAME_COLUMNS, comparison.rows)
        write_table(unfinished / "cases.csv", CASE_COLUMNS, comparison.cases)
        with whole_file(unfinished / "comparison.json") as path:
            path.write_bytes(json_bytes(replace_nonfinite(dict(comparison.record)), indent=2))
        write_html(unfinished / "comparison.html", document)
        if pdf:
            write_pdf(unfinished / "comparison.pdf", document)
        return _moved(unfinished, folder)
    except OSError as error:
        raise SegcamError(f"{folder} cannot be written: {error_text(error)}.") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _moved(unfinished: Path, folder: Path) -> list[Path]:
    """Move the finished files to their folder."""
    names = [name for name in FILES if (unfinished / name).exists()]
    if not folder.exists():
        unfinished.chmod(0o777 & ~_umask())  # a temporary folder is for its user alone
        replace_file(unfinished, folder)
    else:
        for name in names:
            replace_file(unfinished / name, folder / name)
        for name in set(FILES) - set(names):
            remove_file(folder / name)
    return [folder / name for name in names]


def _umask() -> int:
    import os

    mask = os.umask(0)
    os.umask(mask)
    return mask
