"""Names and colors of classes from a color table of the true masks, where the model card gives none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from napari_segcam.batch.color_tables.color_table import Color, color_hex
from napari_segcam.errors import SegcamError
from napari_segcam.network.network import Network
from napari_segcam.network.questions.answers import with_answer

_BACKGROUND = "background"


def with_names_of(network: Network, colors: Mapping[str, Color] | None) -> Network:
    """Return a network whose classes have the names and colors of a table, where its card does not give them.

    The classes are those of the table in its order, or by its numbers. A background that the table leaves out comes
    first.

    Args:
        network: is not changed.
        colors: by class name, as ``read_colors`` returns them; None for no table.

    Raises:
        SegcamError: if the card names no classes, and the table has not as many as the network.
    """
    fields = {} if not colors else names_of(network, colors)
    return with_answer(network, fields) if fields else network


def names_of(network: Network, colors: Mapping[str, Color]) -> dict[str, Any]:
    """Return the fields of the card that a table gives and the card does not: ``class_names``, ``class_colors``.

    Raises:
        SegcamError: as ``with_names_of``.
    """
    card = network.card
    names = card.class_names or _names(network, colors)
    fields: dict[str, Any] = {} if card.class_names else {"class_names": names}
    if not card.class_colors:
        fields |= _colors(network, names, colors)
    return fields


def table_fields(network: Network, colors: Mapping[str, Color]) -> dict[str, Any]:
    """Return the fields of the card that a table gives, whatever the card says: ``class_names``, ``class_colors``.

    Raises:
        SegcamError: if the table has not as many classes as the network.
    """
    names = _names(network, colors)
    return {"class_names": names, **_colors(network, names, colors)}


def _colors(network: Network, names: Sequence[str], colors: Mapping[str, Color]) -> dict[str, Any]:
    """Return ``class_colors`` if the table has all classes but the background; else nothing."""
    first = int(network.has_background and names[0] not in colors)
    if not all(name in colors for name in names[first:]):
        return {}
    return {"class_colors": ("#000000",) * first + tuple(color_hex(colors[name]) for name in names[first:])}


def check_colors(colors: Mapping[str, Color] | None, network: Network, classes: Iterable[int | None]) -> None:
    """Check that a color table has the explained classes: once, not for every image.

    Raises:
        SegcamError: if it lacks one.
    """
    for index in classes if colors is not None else ():
        name = network.class_names[index or 0]
        if index is not None and colors is not None and name not in colors:
            raise SegcamError(f"The color table has no class {name!r}: it has {', '.join(colors)}.")


def _names(network: Network, colors: Mapping[str, Color]) -> tuple[str, ...]:
    numbers: Mapping[str, int] = getattr(colors, "numbers", {})
    names = tuple(sorted(colors, key=numbers.__getitem__) if numbers else colors)
    if network.has_background and len(names) == network.classes - 1:
        return (_BACKGROUND, *names)
    if len(names) == network.classes:
        return names
    raise SegcamError(
        f"The color table has {len(names)} class{'es' if len(names) > 1 else ''} ({', '.join(names)}), but the network "
        f"has {network.classes}{', one of them the background' if network.has_background else ''}. Name the network's "
        "classes in the model card (class_names), as they are called in the table."
    )
