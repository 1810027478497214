"""The command ``inspect``: what a checkpoint or an image is, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from napari_segcam.commands.network_options import NETWORK, Device, NetworkOptions
from napari_segcam.commands.options import Threshold, with_option_groups
from napari_segcam.commands.terminal import PlainConsole
from napari_segcam.commands.waits.bars import waiting
from napari_segcam.errors import SegcamError

if TYPE_CHECKING:
    from napari_segcam.network.network import Network

_CARD = "Model card"
_QUESTIONS = "What the file does not say"


@with_option_groups
def inspect(
    checkpoints: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="CHECKPOINT|IMAGE",
            help="A checkpoint file or save_pretrained folder, not needed with --network-factory; several that form an "
            "ensemble; or an image file.",
        ),
    ] = None,
    *,
    model: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A checkpoint too, as for the other commands.", rich_help_panel=NETWORK),
    ] = None,
    write_ensemble: Annotated[
        Path | None,
        typer.Option(
            metavar="NAME",
            help="Write a small YAML file that stands for the checkpoints wherever one is asked for.",
            rich_help_panel=_CARD,
        ),
    ] = None,
    device: Device = "cpu",
    network: NetworkOptions,
    option: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Option of the architecture, if it is not recognized from the weights.",
            rich_help_panel=_CARD,
        ),
    ] = None,
    write_card: Annotated[
        bool, typer.Option(help="Write the model card beside the checkpoint.", rich_help_panel=_CARD)
    ] = False,
    force: Annotated[
        bool, typer.Option(help="Replace an existing model card or ensemble.", rich_help_panel=_CARD)
    ] = False,
    class_name: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="One for each class, in order.", rich_help_panel=_CARD),
    ] = None,
    class_color: Annotated[
        list[str] | None,
        typer.Option(metavar="#RRGGBB", help="One for each class, in order.", rich_help_panel=_CARD),
    ] = None,
    normalization: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="imagenet, unit, zscore, percentile, custom or none.", rich_help_panel=_CARD),
    ] = None,
    mean: Annotated[
        str | None,
        typer.Option(metavar="NUMBERS", help="For custom: separated by commas.", rich_help_panel=_CARD),
    ] = None,
    std: Annotated[
        str | None,
        typer.Option(metavar="NUMBERS", help="For custom: separated by commas.", rich_help_panel=_CARD),
    ] = None,
    size_rule: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="pad, resize, letterbox or tiles: how a frame gets the network's size. Letterbox needs "
            "--image-size, tiles need --tiles.",
            rich_help_panel=_CARD,
        ),
    ] = None,
    channel_order: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="rgb, or bgr for training with OpenCV's color images.", rich_help_panel=_CARD
        ),
    ] = None,
    output_activation: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What the network's own forward pass ends in, which is undone: sigmoid, softmax, log_sigmoid, "
            "log_softmax or tanh; none for logits. Default: what is recognized.",
            rich_help_panel=_CARD,
        ),
    ] = None,
    class_values: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NUMBERS",
            help="One for each class, in order: the values of its pixels in true masks, separated by commas.",
            rich_help_panel=_CARD,
        ),
    ] = None,
    threshold: Threshold = None,
    check: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            metavar="INPUT OUTPUT",
            help="Two .npy files: an input as the network takes it, after all preprocessing, and the output that it "
            "must give: logits or probabilities. What was assumed about the network is then verified.",
            rich_help_panel=_CARD,
        ),
    ] = None,
    notes: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What users should know.", rich_help_panel=_CARD)
    ] = None,
    image: Annotated[
        Path | None,
        typer.Option(
            metavar="IMAGE",
            help="For each question that the file leaves open: how much of this image each answer marks.",
            rich_help_panel=_QUESTIONS,
        ),
    ] = None,
    frame: Annotated[
        int | None,
        typer.Option(metavar="NUMBER", help="Frame of a cine. Default: in the middle.", rich_help_panel=_QUESTIONS),
    ] = None,
) -> None:
    """Show what a checkpoint is: architecture, encoder, classes, input, stages. Write its model card.

    What the file does not say is listed under "To confirm", with how to say it.

    For an image: frames, size, frame rate, pixel spacing, and which values are black and white.
    """
    from napari_segcam.commands.image_summary import is_image, print_cine
    from napari_segcam.commands.questions_table import TrialFrame, print_questions
    from napari_segcam.imaging.opening import open_cine
    from napari_segcam.network.ensemble.ensemble_file import is_ensemble_file
    from napari_segcam.network.loading import load_network, save_card
    from napari_segcam.network.model_card import find_card, make_card

    console = PlainConsole()
    paths = [*(checkpoints or ()), *(model or ())]
    checkpoint = paths[0] if len(paths) == 1 else None
    if checkpoint is not None and is_image(checkpoint):
        print_cine(open_cine(checkpoint), console)
        return
    fields = {
        "architecture": network.architecture,
        "encoder": network.encoder,
        "options": named_values(option),
        "class_names": class_name,
        "class_colors": class_color,
        "class_values": [[part.strip() for part in values.split(",")] for values in class_values or []],
        "classes_overlap": network.classes_overlap,
        "output": network.output,
        "output_activation": output_activation,
        "normalization": normalization,
        "mean": mean.split(",") if mean else None,
        "std": std.split(",") if std else None,
        "size": _size_rule(size_rule, network),
        "channel_order": channel_order,
        "threshold": threshold,
        "notes": notes,
    }
    card_fields = {name: value for name, value in fields.items() if value or value is False}
    if image is None and frame is not None:
        raise SegcamError("--frame is the frame of an image: give the image with --image.")
    if write_card and (len(paths) > 1 or (checkpoint is not None and is_ensemble_file(checkpoint))):
        raise SegcamError(
            "A model card belongs to one checkpoint. What holds for all members of an ensemble is in its own file: "
            "use --write-ensemble NAME."
        )
    trial_frame = None if image is None else TrialFrame(image, frame)
    source = network.source(paths, device)
    with waiting(console, f"Reading {source.title} …"):
        card = make_card(card_fields, find_card(checkpoint) if checkpoint else None) if card_fields else None
        loaded = load_network(
            checkpoint or paths or None,
            device,
            factory=network.network_factory,
            card=card,
            weights=network.weights,
            accept_structure=int(network.accept_structure),
            check=check,
            rewrite=False,
        )
    print_network(loaded, console)
    print_questions(loaded, console, trial_frame)
    if write_ensemble is not None:
        console.print(f"Written: {_write_ensemble(write_ensemble, paths, card_fields, force=force)}", soft_wrap=True)
    if write_card:
        if len(paths) > 1:
            raise SegcamError(
                "A model card belongs to one checkpoint. With --write-ensemble, its fields are kept there."
            )
        if checkpoint is None:
            raise SegcamError("A model card is written beside a checkpoint, but no checkpoint is given.")
        console.print(f"Written: {save_card(loaded, checkpoint, force=force)}", soft_wrap=True)


def _write_ensemble(name: Path, paths: list[Path], card_fields: Mapping[str, object], *, force: bool) -> Path:
    from napari_segcam.network.ensemble.ensemble_file import write_ensemble_file
    from napari_segcam.network.ensemble.members import MemberList, member_list
    from napari_segcam.network.model_card import make_card

    if not paths:
        raise SegcamError("An ensemble is made of checkpoints, but none is given.")
    members = member_list(paths) or MemberList(tuple(paths))
    card = make_card(card_fields, members.card) if card_fields else members.card
    return write_ensemble_file(name, members.paths, members.weights, card, force=force)


def _size_rule(rule: str | None, network: NetworkOptions) -> dict[str, object] | None:
    fields = network.size_rule()
    return fields if rule is None else {**(fields or {}), "rule": rule}


def print_network(network: Network, console: Console) -> None:
    """Print architecture, encoder, classes, input and stages of a network."""
    from napari_segcam.network.stages.stage import main_stages

    card = Table(show_header=False, box=None)
    for label, value in _facts(network).items():
        card.add_row(f"[bold]{label}", escape(value))
    console.print(card)
    stages = Table("stage", "kind", "stride", "channels", "layer", caption="bold: --stages main")
    main = main_stages(network.stages)
    for stage in network.stages:
        layer = stage.layer if stage.output is None else f"{stage.layer}[{stage.output}]"
        name = f"[bold]{stage.name}" if stage in main else stage.name
        stages.add_row(name, stage.kind, str(stage.stride), str(stage.channels), escape(layer))
    console.print(stages)
    for warning in network.warnings:
        console.print(f"[yellow]{escape(warning)}")


def named_values(options: list[str] | None) -> dict[str, object]:
    """Parse texts such as ``decoder_atrous_rates=[6, 12, 18]``, with values in YAML.

    Raises:
        SegcamError: if a text is not understood.
    """
    from napari_segcam.network.settings_text import parse_yaml

    values = {}
    for option in options or []:
        name, equals, value = option.partition("=")
        if not equals:
            raise SegcamError(f"--option {option} is not understood: write NAME=VALUE.")
        try:
            values[name] = parse_yaml(value)
        except ValueError as error:
            raise SegcamError(f"--option {option} is not understood: {error}.") from error
    return values


def _facts(network: Network) -> dict[str, str]:
    from napari_segcam.network.model_card import normalization_in_words

    card, normalization = network.card, normalization_in_words(network.card)
    difference = card.verified and f"{card.verified.largest_difference:.2g} (tolerance {card.verified.tolerance:.2g})"
    verified = {"verified": f"reproduces a saved output, largest difference {difference}"} if difference else {}
    chosen_output = {"outputs": f"{network.output.name} is read, of {', '.join(network.output.choices)}"}
    return {
        "checkpoint": network.name,
        **_members(network),
        "architecture": network.architecture,
        "encoder": network.encoder or "–",
        "input": f"{card.input_channels} channels, multiples of {network.stride} ({card.size.words}), {normalization}",
        "classes": ", ".join(network.class_names),
        **(chosen_output if len(network.output.choices) > 1 else {}),
        "output": _output(network),
        **verified,
        "device": str(network.device),
        "sha256": network.sha256 or "–",
    }


def _members(network: Network) -> dict[str, str]:
    """Return one line for each member of an ensemble; nothing for one network."""
    from napari_segcam.network.ensemble.ensemble import Ensemble

    if not isinstance(network, Ensemble):
        return {}
    members = zip(network.member_names, network.members, network.weights, strict=True)
    lines = (
        f"{number}: {name}, {member.architecture} {member.encoder}, weight {weight:.3g}, {member.sha256[:12]}"
        for number, (name, member, weight) in enumerate(members, start=1)
    )
    return {"members": "\n".join(lines)}


def _output(network: Network) -> str:
    if not network.segments:
        return "one score per class for the whole image, no mask"
    if network.classes_overlap:
        return f"a mask for each class, cut at {network.card.threshold:g}; they may overlap"
    return "a mask of the likeliest class" if network.has_background else f"a mask cut at {network.card.threshold:g}"
