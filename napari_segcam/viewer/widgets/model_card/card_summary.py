"""The card summary: what the network is, its input and output, and which of that is assumed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from napari_segcam.network.model_card import normalization_in_words
from napari_segcam.viewer.drawing.colormaps import class_colors

if TYPE_CHECKING:  # it imports torch
    from napari_segcam.network.network import Network

_HIGHLIGHT = "segcam-highlight"  # in place of a color, which depends on the theme
_MAX_CLASSES = 6


def card_text(network: Network, colors: Sequence[str] = (), highlight: str = "#f0a020") -> str:
    """Return a network's card as rich text.

    Args:
        network: the loaded network.
        colors: of its classes, one per output channel; empty for the default colors.
        highlight: color of assumptions and warnings.
    """
    title = f"<b>{escape(network.architecture)}</b> / <b>{escape(network.encoder or 'custom encoder')}</b>"
    rows = "".join(
        f"<tr><td style='padding-right: 8px'>{label}</td><td>{value}</td></tr>"
        for label, value in _facts(network, colors)
    )
    warnings = "<br>".join(_highlighted(escape(warning)) for warning in network.warnings)
    text = f"{title} on {network.device}<br>{escape(network.name)}<table>{rows}</table>{warnings}"
    return text.replace(f"'color: {_HIGHLIGHT}'", f"'color: {highlight}'")


def _facts(network: Network, colors: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each label with its value, as rich text."""
    card, assumed = network.card, dict(network.assumed)
    if names := getattr(network, "member_names", ()):
        yield "Members", escape(f"{len(names)}: {', '.join(names)}")
    yield "Input", f"{card.input_channels} channels, {_size(network)}"
    yield "Normalization", normalization_in_words(card) + _assumed(assumed.pop("normalization", None) is not None)
    yield "Classes", _classes(network, colors)
    yield "Result", _output(network) + _assumed(assumed.pop("classes_overlap", None) is not None)
    output = network.output
    if len(output.choices) > 1 and "output" not in assumed:
        others = ", ".join(name for name in output.choices if name != output.name)
        yield "Output", escape(f"{output.name}, not {others}")
    counts = {kind: sum(stage.kind == kind for stage in network.stages) for kind in ("encoder", "decoder")}
    yield "Stages", f"{counts['encoder']} encoder, {counts['decoder']} decoder"
    yield "Weights", f"{_count(sum(weights.numel() for weights in network.module.parameters()))} parameters"
    for name, value in assumed.items():
        yield escape(name.replace("_", " ").capitalize()), escape(value) + _assumed(True)
    if card.notes:
        yield "Notes", escape(card.notes)


def _size(network: Network) -> str:
    size = network.card.size
    if size.rule == "tiles":
        return size.words
    if size.height is not None:
        rule = "resized" if size.rule == "resize" else "letterboxed"
        return f"{rule} to {size.height}×{size.width}"
    return f"{'padded' if size.rule == 'pad' else 'resized'} to a multiple of {network.stride}"


def _classes(network: Network, colors: Sequence[str]) -> str:
    names = [escape(name) for name in network.class_names[:_MAX_CLASSES]]
    if network.segments:
        shown_colors = class_colors(network.classes, colors, overlap=network.classes_overlap)
        first_drawn = int(network.has_background)  # the background has no color
        names = [
            name if index < first_drawn else f"<span style='color: {shown_colors[index]}'>■</span>&nbsp;{name}"
            for index, name in enumerate(names)
        ]
    hidden = network.classes - len(names)
    return ", ".join(names) + (f" and {hidden} more" if hidden else "")


def _output(network: Network) -> str:
    if not network.segments:
        each = ", each by itself" if network.classes_overlap else ""
        return f"<b>classifies whole frames{each}: no mask</b>"
    if network.classes_overlap:
        return f"a mask for each class (threshold {network.card.threshold:g}); classes may overlap"
    if network.has_background:
        return "a mask of the most likely class"
    return f"a mask (threshold {network.card.threshold:g})"


def _assumed(is_assumed: bool) -> str:
    return f" {_highlighted('<b>assumed</b>')}" if is_assumed else ""


def _highlighted(text: str) -> str:
    return f"<span style='color: {_HIGHLIGHT}'>{text}</span>"


def _count(number: int) -> str:
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return str(number)
