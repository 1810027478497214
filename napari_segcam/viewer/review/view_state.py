"""The view: what the window draws of the frame in view, and the words about it, which follow from that alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari.components import ViewerModel
from napari.layers import Labels, Layer

from napari_segcam.viewer.frames.asked_words import asked_region_words
from napari_segcam.viewer.frames.cine_record import FrameState
from napari_segcam.viewer.frames.plan import Plan
from napari_segcam.viewer.frames.run_request import CORRECTED
from napari_segcam.viewer.frames.sparse_mask import SparseMask
from napari_segcam.viewer.layers.frame_names import frame_in_words, frame_word
from napari_segcam.viewer.layers.placement import shows_frames

if TYPE_CHECKING:
    from napari_segcam.explanation.explanation import Heatmap
    from napari_segcam.viewer.review.review import Review

_WEAK = 0.25  # of the scale: weaker heat is hardly visible


@dataclass(frozen=True)
class View:
    """What is drawn, and the words about it; widgets, canvas and strip all read it here.

    Attributes:
        of_frame: words about the frame in view, in lines of any length.
        of_scale: words about the scale of the heat's colors.
        heated: the stages whose heat is visible.
        is_weak: whether that heat is so low on its scale that it is hardly visible.
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
    """Whether a layer is visible and not transparent."""
    return layer is not None and bool(layer.visible) and layer.opacity > 0


def view_of(
    viewer: ViewerModel,
    review: Review | None,
    frame: int,
    notes: Sequence[Callable[[Review, int, tuple[str, ...]], Sequence[str]]] = (),
) -> View:
    """Return what the window shows of a review.

    Args:
        viewer: that shows it.
        review: of the chosen image; None where there is none.
        frame: the one in view.
        notes: each returns more lines for the review, the frame and the stages whose heat is visible.
    """
    if review is None:
        return View()
    is_corrected = frame in review.layers.corrected
    if not shows_frames(viewer):
        drawn = tuple(stage for stage, layer in review.layers.heatmaps.items() if is_drawn(layer))
        heated = drawn if review.layers.heat.seen() else ()
        return View(
            "", _scale_words(review, heated, frame_in_words(review.image, frame)), heated, is_corrected=is_corrected
        )
    heatmaps = review.results.heatmaps(frame)
    heated = tuple(
        stage
        for stage, layer in review.layers.heatmaps.items()
        if is_drawn(layer) and _has_heat(heatmaps.get(stage)) and review.layers.heat.reach(stage) is not None
    )
    weak_lines = _weak_heat_lines(review, heated)
    is_explained = bool(heated) or review.results.asked is not None
    region_words, to_outline = _explained_region(review, frame) if is_explained else ("", None)
    empty_lines = [
        f"{stage}: no heat, since {reason.value}"
        for stage, layer in review.layers.heatmaps.items()
        if is_drawn(layer) and stage in heatmaps and (reason := heatmaps[stage].reason) is not None
    ]
    lines = [_state_words(review, frame), _correction_words(review, frame), region_words, *empty_lines, *weak_lines]
    lines += [line for note in notes for line in note(review, frame, heated)]
    return View(
        "\n".join(line for line in lines if line),
        _scale_words(review, heated, f"this {frame_word(review.image)}"),
        heated,
        bool(weak_lines),
        is_corrected,
        to_outline,
    )


def _has_heat(heatmap: Heatmap | None) -> bool:
    return heatmap is not None and heatmap.reason is None


def _state_words(review: Review, frame: int) -> str:
    # No frame numbers: the slider shows them, and drawing new words takes napari as long as drawing a layer.
    plan = review.plan
    if plan is None:
        return ""
    if review.record.states[frame] == FrameState.FAILED:
        return "failed"
    finding = review.results.finding(frame)
    if finding is None:
        return "computing …" if review.schedule.is_pending(frame) else "not computed"
    if (
        review.results.asked is None
        and not review.schedule.is_pending(frame)
        and review.results.missing_stages(plan, frame)
    ):
        return "heat not computed"  # the mask is of an earlier run, or only a place in this frame was explained
    if not plan.network.segments:
        return f"no mask: the network classifies the whole {frame_word(review.image)}"
    if not finding.pixels:
        return "no finding" + ("" if plan.network.has_background else f" above {review.frame_jobs.mask_threshold:.2f}")
    return ""


def _correction_words(review: Review, frame: int) -> str:
    corrections = [layer for layer in review.corrections.layers() if frame in layer.frames]
    if not corrections:
        return ""
    class_names = ", ".join(layer.of_class for layer in corrections if layer.of_class)
    words = f"{class_names} corrected by you" if class_names else "corrected by you"
    if any(layer.is_taken_out for layer in corrections):
        return f"{words}; the layer of your corrections is removed"
    if not all(is_drawn(layer.layer) for layer in corrections):
        return f"{words}, but hidden"
    return f"{words}: drawn {'lighter' if class_names else 'in white'}"


def _explained_region(review: Review, frame: int) -> tuple[str, SparseMask | None]:
    """Return the region that the heat explains, in words and as pixels.

    The words are empty if everything that is outlined is the region. The pixels are None if something outlines it.
    """
    plan, stored = review.results.shown, review.results.stored_heatmaps(frame)
    if plan is None or stored is None:
        return "", None
    if review.results.asked is not None:
        return f"heat explains {explained_region_words(review, frame)}", stored.region or review.full_frame
    outlines = _outlines(review, plan, frame)
    region = review.full_frame if stored.region is None else stored.region
    words = f"heat explains {explained_region_words(review, frame)}"
    if not any(region.is_label_of(mask, label) for mask, label in outlines):
        return f"{words}{': dashed' if review.layers.explained_region.can_be_seen else ''}", region
    return ("" if all(region.is_all_of(mask, label) for mask, label in outlines) else words), None


def _outlines(review: Review, plan: Plan, frame: int) -> list[tuple[SparseMask, int | None]]:
    """Return the masks and corrections that are drawn, each with its label of the explained class."""
    layers = review.layers
    outlines: list[tuple[SparseMask, int | None]] = []
    for pair in layers.pairs:
        is_explained = pair.mask is layers.masks
        mask = pair.mask.drawn(frame) if is_drawn(pair.mask.layer) else None
        if mask is not None and (is_explained or not mask.is_blank):
            outlines.append((mask, plan.label if is_explained else None))
        correction = pair.corrections.seen(frame) if is_drawn(pair.corrections.layer) else None
        if correction is not None:
            outlines.append((correction, pair.corrections.label_of(frame, plan.label) if is_explained else None))
    return outlines


def explained_region_words(review: Review, frame: int) -> str:
    """Return the region that a frame's heat explains, in the user's words."""
    plan = review.results.shown
    assert plan is not None
    region: Any = plan.request.region
    network = plan.network
    class_name = f"{network.class_names[plan.class_index]}, " if network.segments and network.classes > 1 else ""
    mask = "predicted mask" if network.has_background else f"mask predicted above {plan.threshold:.2f}"
    full_frame = f"the whole {frame_word(review.image)}"
    if not network.segments:
        return f"{class_name}{full_frame}"
    if isinstance(region, Labels):
        return f"{class_name}what is painted in {region.name}"
    if region == CORRECTED and plan.painted_region(frame) is not None:
        return f"{class_name}your correction"
    if region in ("mask", CORRECTED):
        return f"{class_name}the {mask}"
    if region == "image":
        stored = review.results.stored_heatmaps(frame)
        is_cropped = stored is not None and stored.region is not None
        return f"{class_name}{'the whole input region' if is_cropped else full_frame}"
    if asked_words := asked_region_words(region, review.results.stored_heatmaps(frame)):
        return f"{class_name}{asked_words}"
    parts = {"Component": "the largest component", "Boundary": "the boundary"}
    return f"{class_name}{parts.get(type(region).__name__, 'a part')} of the {mask}"


def _weak_heat_lines(review: Review, heated: tuple[str, ...]) -> list[str]:
    """Return a line for each stage with so little heat that the frame looks empty."""
    heat, word = review.layers.heat, frame_word(review.image)
    lines = []
    for stage in heated:
        share = heat.reach(stage)
        if share is None or share >= _WEAK:
            continue
        scale = "the scale set by hand" if stage in heat.by_hand else f"the scale of all {word}s"
        stage_name = f"{stage}: " if len(heated) > 1 else ""
        percent = f"{share:.0%}".replace("%", " %") if share >= 0.01 else "less than 1 %"
        unseen = f", and nothing below {heat.floor:.0%} is drawn".replace("%", " %") if share < heat.floor else ""
        lines.append(f"{stage_name}this {word} reaches {percent} of {scale}{unseen} (W: scale to the {word})")
    return lines


def _scale_words(review: Review, heated: tuple[str, ...], this_frame: str) -> str:
    """Return words about the scale of the heat's colors."""
    heat = review.layers.heat
    by_hand = [stage for stage in heated if stage in heat.by_hand]
    if not heated:
        return ""
    if len(by_hand) == len(heated):
        return "heat scaled by hand"
    frame_count = len(review.record)
    if frame_count == 1 or heat.scale == "frame":
        words = f"heat scaled to {this_frame}"
    else:  # no count of frames: the strip shows it, and each change here would draw the whole canvas again
        words = f"heat scaled to all {frame_word(review.image)}s" + ("" if heat.seen() == frame_count else " so far")
    return words + (f", {', '.join(by_hand)} by hand" if by_hand else "")
