"""Inspecting a checkpoint on the command line: what it is, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from napari_segcam.errors import SegcamError

if TYPE_CHECKING:
    from napari_segcam.network.network import Network


def print_network(network: Network, console: Console) -> None:
    """Architecture, encoder, classes, input, and the stages."""
    from napari_segcam.network.stages.stage import main_stages

    card = Table(show_header=False, box=None)
    for label, value in _facts(network).items():
        card.add_row(f"[bold]{label}", escape(value))
    console.print(card)
    stages = Table("stage", "kind", "stride", "channels", "layer", caption="bold: what --stages main takes")
    main = main_stages(network.stages)
    for stage in network.stages:
        layer = stage.layer if stage.output is None else f"{stage.layer}[{stage.output}]"
        name = f"[bold]{stage.name}" if stage in main else stage.name
        stages.add_row(name, stage.kind, str(stage.stride), str(stage.channels), escape(layer))
    console.print(stages)
    for warning in network.warnings:
        console.print(f"[yellow]{escape(warning)}")


def named_values(options: list[str] | None) -> dict[str, object]:
    """``NAME=VALUE`` with values as YAML writes them: ``decoder_atrous_rates=[6, 12, 18]``.

    Raises:
        SegcamError: if they are not understood.
    """
    from napari_segcam.network.settings_text import plain_yaml

    values = {}
    for option in options or []:
        name, equals, value = option.partition("=")
        if not equals:
            raise SegcamError(f"--option {option} is not understood: write NAME=VALUE.")
        try:
            values[name] = plain_yaml(value)
        except ValueError as error:
            raise SegcamError(f"--option {option} is not understood: {error}.") from error
    return values


def _facts(network: Network) -> dict[str, str]:
    card = network.card
    size = f"{card.size.rule} to {card.size.height}×{card.size.width}" if card.size.height else card.size.rule
    assumed = "; ".join(f"{name} {value}" for name, value in network.assumed.items())
    several = {"outputs": f"{network.output.name} is read, of {', '.join(network.output.choices)}"}
    return {
        "checkpoint": network.name,
        "architecture": network.architecture,
        "encoder": network.encoder or "–",
        "input": f"{card.input_channels} channels, multiples of {network.stride} ({size}), {card.normalization}",
        "classes": ", ".join(network.class_names),
        **(several if len(network.output.choices) > 1 else {}),
        "output": _output(network),
        "assumed": assumed or "–",
        "device": str(network.device),
        "sha256": network.sha256 or "–",
    }


def _output(network: Network) -> str:
    if not network.segments:
        return "one score per class for the whole image, no mask"
    if network.classes_overlap:
        return f"a mask for each class, cut at {network.card.threshold:g}; they may overlap"
    return "a mask of the likeliest class" if network.has_background else f"a mask cut at {network.card.threshold:g}"
