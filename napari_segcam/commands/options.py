"""Options that several commands share, each declared once, and what their texts mean."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from napari_segcam.errors import SegcamError

if TYPE_CHECKING:
    from napari_segcam.batch.options import ExplainOptions

# Panels of --help.
EXPLANATION = "What is explained"
INPUT = "Input and computing"
EVIDENCE = "Evidence"

Threshold = Annotated[
    float | None,
    typer.Option(
        metavar="NUMBER",
        help="Cuts the probability of a single class, or of each overlapping class. Default: that of the model card.",
        rich_help_panel=INPUT,
    ),
]

ValueRange = Annotated[
    tuple[float, float] | None,
    typer.Option(
        metavar="BLACK WHITE",
        help="The pixel values that are black and white. Default: what the file says, or else what the values suggest.",
        rich_help_panel=INPUT,
    ),
]


@dataclass(frozen=True)
class HeatmapOptions:
    """Which heatmaps are computed."""

    methods: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="CAM methods, separated by commas. Those of an installed package are grad-cam:NAME and torchcam:NAME.",
            rich_help_panel=EXPLANATION,
        ),
    ] = "gradcam"
    stages: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="all, main, encoder, decoder, or names separated by commas.",
            rich_help_panel=EXPLANATION,
        ),
    ] = "main"
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Class names or numbers, separated by commas. Default: the first class that is not the background.",
            rich_help_panel=EXPLANATION,
        ),
    ] = None
    region: Annotated[
        str,
        typer.Option(
            metavar="REGION",
            help="The region that is explained: mask, image, component, component:X,Y, at:X,Y (the component "
            "there, or a disk where nothing was found), boundary, boundary:WIDTH, X,Y (a pixel), "
            "LEFT,TOP,RIGHT,BOTTOM (a box), polygon:X,Y,X,Y,X,Y, false-positive or false-negative (these need "
            "--truth).",
            rich_help_panel=EXPLANATION,
        ),
    ] = "mask"
    score: Annotated[
        str,
        typer.Option(
            metavar="KIND",
            help="logit, or probability, which weighs uncertain pixels more.",
            rich_help_panel=EXPLANATION,
        ),
    ] = "logit"
    against: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="finercam: the classes that each class is compared with, separated by commas. Default: the likeliest "
            "other class in the region.",
            rich_help_panel=EXPLANATION,
        ),
    ] = None
    gamma: Annotated[
        float,
        typer.Option(
            metavar="NUMBER",
            help="finercam: how much the other class counts. 0 is Grad-CAM, 1 the whole difference.",
            min=0,
            rich_help_panel=EXPLANATION,
        ),
    ] = 0.6


@dataclass(frozen=True)
class InputOptions:
    """What the network is given, and how it is run."""

    crop: Annotated[
        str,
        typer.Option(
            metavar="BOX",
            help="The part of the frame that the network sees: none (the whole frame), auto (the scan), or "
            "LEFT,TOP,RIGHT,BOTTOM in pixels.",
            rich_help_panel=INPUT,
        ),
    ] = "none"
    value_range: ValueRange = None
    preview: Annotated[
        bool,
        typer.Option(
            "--preview",
            help="Score-CAM: run one channel in eight and predict the others.",
            rich_help_panel=INPUT,
        ),
    ] = False
    threshold: Threshold = None
    autocast: Annotated[
        bool, typer.Option("--autocast", help="Compute in bfloat16, on an NVIDIA GPU.", rich_help_panel=INPUT)
    ] = False


@dataclass(frozen=True)
class EvidenceOptions:
    """Which evidence is measured."""

    evidence: Annotated[
        str | None,
        typer.Option(
            metavar="[NAMES]",
            help="Measure whether each heatmap means anything: all measures, or those named, separated by commas: "
            "influence, faithfulness, in_out, sanity, echo, off_scan, stability, overlay_effect, doubt. All of them "
            "take seconds to minutes for each frame.",
            rich_help_panel=EVIDENCE,
        ),
    ] = None
    null: Annotated[
        int,
        typer.Option(
            metavar="COUNT",
            help="How many moved copies each heatmap is compared with; 99 take five times as long as 19.",
            min=1,
            max=999,
            rich_help_panel=EVIDENCE,
        ),
    ] = 19
    references: Annotated[
        str,
        typer.Option(
            "--evidence-references",
            metavar="NAMES",
            help="What replaces a stage for its influence: mean, blur, other-frame (half a cine away), separated by "
            "commas. Where they disagree on whether it takes part, that is unclear.",
            rich_help_panel=EVIDENCE,
        ),
    ] = "mean"


def explain_options(
    heatmaps: HeatmapOptions, inputs: InputOptions, evidence: EvidenceOptions | None = None
) -> ExplainOptions:
    """Return the options of explanations.

    Raises:
        SegcamError: if there is no method, measure of evidence or reference of such a name.
    """
    from napari_segcam.batch.evidence import measure_names, reference_names
    from napari_segcam.batch.options import ExplainOptions
    from napari_segcam.explanation.stage_maps import find_method

    methods = [find_method(name) for name in heatmaps.methods.split(",")]
    if heatmaps.against is not None and not any(method.contrasts for method in methods):
        raise SegcamError("--against is for methods that compare classes: add --methods finercam.")
    return ExplainOptions(
        methods=[method.name for method in methods],
        stages=stage_names(heatmaps.stages),
        classes=(heatmaps.classes or "").split(","),
        region=heatmaps.region,
        score=heatmaps.score,
        against=heatmaps.against.split(",") if heatmaps.against else (),
        gamma=heatmaps.gamma,
        crop=inputs.crop,
        preview=inputs.preview,
        autocast=inputs.autocast,
        threshold=inputs.threshold,
        value_range=inputs.value_range,
        evidence=measure_names(evidence.evidence) if evidence and evidence.evidence is not None else (),
        evidence_draws=evidence.null if evidence else 19,
        evidence_references=reference_names(evidence.references) if evidence else ("mean",),
    )


_GIVEN = "napari_segcam.options"


def with_option_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Decorate a command so that each field of a dataclass parameter becomes an option of its own.

    Typer takes one parameter per option. This lets commands share groups of options: a parameter
    ``network: NetworkOptions`` stands for all of its fields, and is passed as one object.
    """
    signature = inspect.signature(command, eval_str=True)
    context = next((name for name, one in signature.parameters.items() if one.annotation is typer.Context), None)
    groups: dict[str, type] = {}
    parameters: list[inspect.Parameter] = []
    for name, parameter in signature.parameters.items():
        if not is_dataclass(parameter.annotation):
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        group: Any = parameter.annotation
        groups[name] = group
        annotations = get_type_hints(group, include_extras=True)
        parameters += [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=annotations[field.name],
            )
            for field in fields(group)
        ]

    @wraps(command)
    def call(**options: Any) -> None:
        if context is not None:
            options[context].meta[_GIVEN] = {name: value for name, value in options.items() if name != context}
        for name, group in groups.items():
            options[name] = group(**{field.name: options.pop(field.name) for field in fields(group)})
        command(**options)

    call.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return call


def given_options(context: typer.Context) -> dict[str, Any]:
    """Return the options of a command of ``with_option_groups``, as its parameters have them.

    ``context.params`` has them before or after they become paths, which depends on the version of Typer.
    """
    return dict(context.meta[_GIVEN])


def stage_names(stages: str) -> str | Sequence[str]:
    """Return stages as ``Explainer`` takes them."""
    return stages if stages in ("all", "main", "encoder", "decoder") else stages.split(",")


def frame_numbers(text: str, count: int) -> list[int]:
    """Return the frame numbers that ``all``, or numbers and ranges such as ``0,10-20``, stand for.

    Raises:
        SegcamError: if the text is not understood, or names a frame that the image does not have.
    """
    if text == "all":
        return list(range(count))
    numbers: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.isdigit() or (last and not last.isdigit()):
            raise SegcamError(f"--frames {text} is not understood: give 'all', or numbers and ranges such as 0,10-20.")
        numbers += range(int(first), int(last or first) + 1)
    if not numbers or max(numbers) >= count:
        raise SegcamError(f"--frames {text} goes beyond this image's {count} frames, numbered 0 to {count - 1}.")
    return numbers
