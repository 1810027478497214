"""The view: what the window draws of the frame in view, and from that alone, what it says of it."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Any

from napari.components import ViewerModel
from napari.layers import Labels, Layer

from napari_segcam.viewer.frames.cine_record import State
from napari_segcam.viewer.frames.plan import CORRECTED
from napari_segcam.viewer.frames.sparse_mask import SparseMask
from napari_segcam.viewer.layers.placement import shows_frames

if TYPE_CHECKING:
    from napari_segcam.viewer.review.review import Review

_WIDTH = 44  # characters: what a canvas between two docks has room for
_WEAK = 0.25  # of the scale: below that heat is hardly seen


@dataclass(frozen=True)
class View:
    """What is drawn, and what is said of it; widgets, canvas and strip all read it here.

    Attributes:
        of_frame: words on the frame in view.
        of_scale: words on what the colors of the heat stand for.
        heated: the stages of which there is heat to be seen.
        is_weak: whether that is so little of its scale that it is hardly seen.
        is_corrected: whether the reader has corrected the frame.
        to_outline: the region that the heat explains, where no other outline shows it.
    """

    of_frame: str = ""
    of_scale: str = ""
    heated: tuple[str, ...] = ()
    is_weak: bool = False
    is_corrected: bool = False
    to_outline: SparseMask | None = None


def is_drawn(layer: Layer | None) -> bool:
    """Whether a layer of the viewer is to be seen."""
    return layer is not None and bool(layer.visible) and layer.opacity > 0


def view_of(viewer: ViewerModel, review: Review | None, frame: int) -> View:
    """What the window shows of a review.

    Args:
        viewer: that shows it.
        review: of the chosen image; None where there is none.
        frame: the one in view.
    """
    if review is None:
        return View()
    is_corrected = frame in review.layers.corrected
    if not shows_frames(viewer):  # of no single frame
        heated = tuple(stage for stage, layer in review.layers.heatmaps.items() if is_drawn(layer))
        heated = heated if review.layers.heat.seen() else ()
        return View("", _of_scale(review, heated, f"frame {frame}"), heated, is_corrected=is_corrected)
    heated = tuple(
        stage
        for stage, layer in review.layers.heatmaps.items()
        if is_drawn(layer) and review.has_heat(stage) and review.layers.heat.reach(stage) is not None
    )
    weak = _weak(review, heated)
    explained, to_outline = _explained(review, frame) if heated else ("", None)
    lines = [
        _state(review, frame),
        _correction(review, frame),
        explained,
        *_without_heat(review),
        *weak,
    ]
    return View(
        "\n".join(fill(line, _WIDTH) for line in lines if line),
        _of_scale(review, heated, "this frame"),
        heated,
        bool(weak),
        is_corrected,
        to_outline,
    )


def _state(review: Review, frame: int) -> str:
    # No number in it, which the slider tells, nor which frame is at work: other words take napari as long as a layer.
    if review.plan is None:
        return ""
    if review.record.states[frame] == State.FAILED:
        return "failed"
    finding = review.finding()
    if finding is None:
        return "computing …" if review.awaits(frame) else "not computed"
    if not review.plan.network.segments:
        return "no mask: the network classifies the whole frame"
    if not finding.pixels:
        return "nothing found" + ("" if review.has_classes else f" above {review.computation.cut:.2f}")
    return ""


def _correction(review: Review, frame: int) -> str:
    corrections = [pair.corrections for pair in review.layers.pairs if frame in pair.corrections.frames]
    if not corrections:
        return ""
    of = ", ".join(one.of_class for one in corrections if one.of_class)
    words = f"{of} corrected by you" if of else "corrected by you"
    if any(one.is_taken_out for one in corrections):
        return f"{words}; the layer of your corrections is removed"
    if not all(is_drawn(one.layer) for one in corrections):
        return f"{words}, which is hidden"
    return f"{words}: drawn {'lighter' if of else 'in white'}"


def _explained(review: Review, frame: int) -> tuple[str, SparseMask | None]:
    """Which region the heat explains, where that is not all that is outlined; and it, where nothing outlines it."""
    plan, explained = review.plan, review.explained(frame)
    if plan is None or explained is None:
        return "", None
    layers = review.layers
    outlines: list[tuple[SparseMask, int | None]] = []
    for pair in layers.pairs:
        is_explained = pair.mask is layers.masks
        if (
            is_drawn(pair.mask.layer)
            and (drawn := pair.mask.drawn(frame)) is not None
            and (is_explained or not drawn.is_blank)
        ):
            outlines.append((drawn, plan.label if is_explained else None))
        if is_drawn(pair.corrections.layer) and (correction := pair.corrections.seen(frame)) is not None:
            outlines.append((correction, pair.corrections.label_of(frame, plan.label) if is_explained else None))
    region = review.whole_frame if explained.region is None else explained.region
    words = f"heat explains {words_of_region(review, frame)}"
    if not any(region.is_label_of(mask, label) for mask, label in outlines):
        return f"{words}{': dashed' if layers.explained_region.can_be_seen else ''}", region
    return ("" if all(region.is_all_of(mask, label) for mask, label in outlines) else words), None


def words_of_region(review: Review, frame: int) -> str:
    """The region that a frame's heat explains, in the user's words."""
    plan = review.plan
    assert plan is not None
    region: Any = plan.request.region
    network = plan.network
    is_named = network.segments and network.classes > 1
    of_class = f"{network.class_names[plan.class_index]}, " if is_named else ""
    mask = "predicted mask" if review.has_classes else f"mask predicted above {plan.threshold:.2f}"
    if not network.segments:
        return f"{of_class}the whole frame"
    if isinstance(region, Labels):
        return f"{of_class}what is painted in {region.name}"
    if region == CORRECTED and plan.painted(frame) is not None:
        return f"{of_class}your correction"
    if region in ("mask", CORRECTED):
        return f"{of_class}the {mask}"
    if region == "image":
        explained = review.explained(frame)
        is_part = explained is not None and explained.region is not None
        return f"{of_class}{'all that the network is shown' if is_part else 'the whole frame'}"
    what = {"Component": "the largest part", "Boundary": "the rim"}.get(type(region).__name__, "a part")
    return f"{of_class}{what} of the {mask}"


def _without_heat(review: Review) -> list[str]:
    return [
        f"{stage}: no heat, since {reason}"
        for stage, layer in review.layers.heatmaps.items()
        if is_drawn(layer) and (reason := review.why_empty(stage)) is not None
    ]


def _weak(review: Review, heated: tuple[str, ...]) -> list[str]:
    """Of which stages there is so little heat that a frame looks empty."""
    heat = review.layers.heat
    lines = []
    for stage in heated:
        share = heat.reach(stage)
        if share is None or share >= _WEAK:
            continue
        whose = "the scale set by hand" if stage in heat.by_hand else "the clip's scale"
        of_stage = f"{stage}: " if len(heated) > 1 else ""
        percent = f"{share:.0%}".replace("%", " %") if share >= 0.01 else "less than 1 %"
        unseen = f", and nothing below {heat.floor:.0%} is drawn".replace("%", " %") if share < heat.floor else ""
        lines.append(f"{of_stage}this frame reaches {percent} of {whose}{unseen} (W: scale to the frame)")
    return lines


def _of_scale(review: Review, heated: tuple[str, ...], this_frame: str) -> str:
    """What is to be said of the colors of a review's heat."""
    heat = review.layers.heat
    by_hand = [stage for stage in heated if stage in heat.by_hand]
    if not heated:
        return ""
    if len(by_hand) == len(heated):
        return "heat scaled by hand"
    frames = len(review.record)
    if frames == 1 or heat.scale == "frame":
        words = f"heat scaled to {this_frame}"
    else:  # how many they are, the strip tells: here each change would draw the whole canvas again
        words = "heat scaled to the clip" + ("" if heat.seen() == frames else " so far")
    return words + (f", {', '.join(by_hand)} by hand" if by_hand else "")
