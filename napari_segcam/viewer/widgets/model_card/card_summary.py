"""The network card: what a network is, how it is fed and read, and what of that is assumed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from napari_segcam.viewer.drawing.colormaps import class_colors

if TYPE_CHECKING:  # torch comes with it
    from napari_segcam.network.network import Network

_STANDS_OUT = "#e08a00"  # on dark and on light themes
_CLASSES_SHOWN = 6


def card_text(network: Network, colors: Sequence[str] = ()) -> str:
    """A network's card as rich text.

    Args:
        network: that is loaded.
        colors: of its classes, one per output channel; none for the usual ones.
    """
    title = f"<b>{escape(network.architecture)}</b> / <b>{escape(network.encoder or 'own encoder')}</b>"
    rows = "".join(
        f"<tr><td style='padding-right: 8px'>{label}</td><td>{value}</td></tr>"
        for label, value in _facts(network, colors)
    )
    warnings = "<br>".join(_standing_out(escape(warning)) for warning in network.warnings)
    return f"{title} on {network.device}<br>{escape(network.name)}<table>{rows}</table>{warnings}"


def _facts(network: Network, colors: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Label and value, as rich text."""
    card, assumed = network.card, dict(network.assumed)
    yield "input", f"{card.input_channels} channels, {_size(network)}"
    values: str = card.normalization
    if values == "custom":
        values += f": mean {_numbers(card.mean)}, std {_numbers(card.std)}"
    yield "normalization", values + _assumed(assumed.pop("normalization", None) is not None)
    yield "classes", _classes(network, colors)
    yield "gives", _output(network) + _assumed(assumed.pop("classes_overlap", None) is not None)
    read = network.output
    if len(read.choices) > 1 and "output" not in assumed:
        yield "output", escape(f"{read.name}, not {', '.join(name for name in read.choices if name != read.name)}")
    counts = {kind: sum(stage.kind == kind for stage in network.stages) for kind in ("encoder", "decoder")}
    yield "stages", f"{counts['encoder']} encoder, {counts['decoder']} decoder"
    yield "weights", f"{_count(sum(weights.numel() for weights in network.module.parameters()))} parameters"
    for name, value in assumed.items():
        yield escape(name.replace("_", " ")), escape(value) + _assumed(True)
    if card.notes:
        yield "notes", escape(card.notes)


def _size(network: Network) -> str:
    size = network.card.size
    if size.height is not None:
        how = "resized" if size.rule == "resize" else "letterboxed"
        return f"{how} to {size.height}×{size.width}"
    return f"{'padded' if size.rule == 'pad' else 'resized'} to ×{network.stride}"


def _classes(network: Network, colors: Sequence[str]) -> str:
    names = [escape(name) for name in network.class_names[:_CLASSES_SHOWN]]
    if network.segments:
        drawn = class_colors(network.classes, colors, overlap=network.classes_overlap)
        first = int(network.has_background)  # is not drawn
        names = [
            name if index < first else f"<span style='color: {drawn[index]}'>■</span>&nbsp;{name}"
            for index, name in enumerate(names)
        ]
    more = network.classes - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def _output(network: Network) -> str:
    if not network.segments:
        each = ", each by itself" if network.classes_overlap else ""
        return f"<b>classifies whole frames{each}: no mask</b>"
    if network.classes_overlap:
        return f"a mask for each class, cut at {network.card.threshold:g}; they may overlap"
    if network.has_background:
        return "a mask of the likeliest class"
    return f"a mask cut at {network.card.threshold:g}"


def _assumed(is_so: bool) -> str:
    return f" {_standing_out('<b>assumed</b>')}" if is_so else ""


def _standing_out(text: str) -> str:
    return f"<span style='color: {_STANDS_OUT}'>{text}</span>"


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _count(number: int) -> str:
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return str(number)
