"""Tables of a run: results and errors as CSV, results as Parquet."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from napari_segcam.files import whole_file, write_table
from napari_segcam.optional import needed
from napari_segcam.reporting.run_format import COLUMNS, Row, columns_of


def write_results(path: Path, rows: Iterable[Row]) -> None:
    """Write rows as CSV; an undefined value is an empty cell.

    Raises:
        SegcamError: if the file cannot be written.
    """
    columns, rows = _columns_and_rows(rows)
    write_table(path, columns, rows)


def write_errors(path: Path, errors: Iterable[tuple[str, str]]) -> None:
    """Write the images that failed and their errors as CSV.

    Raises:
        SegcamError: if the file cannot be written.
    """
    write_table(path, ("image", "error"), ({"image": image, "error": error} for image, error in errors))


def check_parquet() -> None:
    """Check that Parquet can be written.

    Raises:
        SegcamError: if the package for it is missing.
    """
    needed("pyarrow", "The results are to be written as Parquet")


def write_parquet(path: Path, rows: Iterable[Row]) -> None:
    """Write rows as Parquet; an undefined value is null.

    Raises:
        SegcamError: if the file cannot be written, or the package for it is missing.
    """
    check_parquet()
    import pyarrow
    import pyarrow.parquet

    types = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}
    columns, rows = _columns_and_rows(rows)
    schema = pyarrow.schema([(name, types[kind]) for name, kind in columns.items()])
    with whole_file(path) as temporary:
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows), schema=schema), temporary)


def _columns_and_rows(rows: Iterable[Row]) -> tuple[dict[str, type], Iterable[Row]]:
    """Return the columns of a run's rows, and the rows, which may be too many for memory."""
    rows = iter(rows)
    first = next(rows, None)
    return (COLUMNS, ()) if first is None else (columns_of(first), chain([first], rows))
