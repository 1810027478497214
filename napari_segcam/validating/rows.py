"""Tables of a validation as rows, which pandas and polars can take over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from napari_segcam.optional import needed
from napari_segcam.reporting.run_format import Row


class Rows(list[Row]):
    """Rows of a table: a list of dicts that all have the same keys; None is undefined.

    Args:
        columns: the keys in their order, each with the type of its defined values.
        rows: of the table.
    """

    def __init__(self, columns: Mapping[str, type], rows: Iterable[Row] = ()) -> None:
        super().__init__(rows)
        self.columns = dict(columns)

    def to_pandas(self) -> Any:
        """Return the table as a ``pandas.DataFrame``; undefined numbers are NaN.

        Raises:
            SegcamError: if pandas is not installed.
        """
        needed("pandas", "The table is to be a DataFrame")
        import pandas

        types = {int: "Int64", float: "float64", bool: "boolean"}
        frame = pandas.DataFrame(list(self), columns=list(self.columns))
        return frame.astype({name: types[kind] for name, kind in self.columns.items() if kind in types})

    def to_polars(self) -> Any:
        """Return the table as a ``polars.DataFrame``; undefined values are null.

        Raises:
            SegcamError: if polars is not installed.
        """
        needed("polars", "The table is to be a DataFrame of polars")
        import polars

        types = {int: polars.Int64, float: polars.Float64, bool: polars.Boolean, str: polars.String}
        return polars.DataFrame(list(self), schema={name: types[kind] for name, kind in self.columns.items()})
