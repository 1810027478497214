"""Jobs that find burned-in graphics, and try what the network makes of a frame without them, or with others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_segcam.viewer.frames.layer_source import LayerSource
from napari_segcam.viewer.worker.background import Progress
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:  # torch comes with these: they are imported in the worker, where nobody waits for it
    from napari_segcam.evidence.overlay_effect import OverlayEffect
    from napari_segcam.imaging.burned_in.calipers import CaliperStyle
    from napari_segcam.imaging.burned_in.graphics import Graphics
    from napari_segcam.network.network import Network


@dataclass(frozen=True, eq=False)
class Calipers:
    """Calipers to paste.

    Attributes:
        points: ``(N, 2)`` row and column of each, in frame pixels.
        style: of each mark.
        line: whether a dotted line joins them.
    """

    points: NDArray[np.float64]
    style: CaliperStyle
    line: bool


@dataclass(frozen=True, eq=False)
class Setup:
    """What a trial is done with.

    Attributes:
        network: that runs.
        source: the frames.
        frame: number of the frame.
        threshold: of the masks.
        class_index: of the class whose mask is compared; None for the usual one.
        cancelled: returns whether to stop.
    """

    network: Network
    source: LayerSource
    frame: int
    threshold: float
    class_index: int | None
    cancelled: Callable[[], bool]


@dataclass(frozen=True, eq=False)
class Trial:
    """What a trial has given.

    Attributes:
        effect: of the graphics, found or pasted.
        graphics: ``(Y, X)`` bool, that were taken away or pasted.
        frame: without the found graphics, or with the pasted ones.
        mask: of this frame, ``(Y, X)`` labels.
        pixels: of the class's mask of the frame as it is, and of this one.
    """

    effect: OverlayEffect
    graphics: NDArray[np.bool_]
    frame: NDArray[np.generic]
    mask: NDArray[np.uint8]
    pixels: tuple[int, int]


def find_job(source: LayerSource, frame: int, keep: Callable[[Graphics], None]) -> Job:
    """Return a job that finds the burned-in graphics of a frame, and calls ``keep`` with them in the worker."""

    def work() -> Iterator[Progress]:
        from napari_segcam.imaging.burned_in.finding import find_graphics

        keep(find_graphics(source.cine[frame], source.cine))
        yield Progress(1, 1, "")

    return Job("overlays", "Finding burned-in graphics", work)


def without_graphics_job(setup: Setup, graphics: NDArray[np.bool_], keep: Callable[[Trial], None]) -> Job:
    """Return a job that takes graphics away, and calls ``keep`` with what that does, in the worker.

    Args:
        setup: network and frame.
        graphics: ``(Y, X)`` bool.
        keep: called with the result.
    """

    def work() -> Iterator[Progress]:
        from napari_segcam.imaging.burned_in.inpainting import inpaint

        cine = setup.source.cine
        frame = cine[setup.frame]
        clean = inpaint(frame, graphics, cine.value_range) if graphics.any() and not graphics.all() else frame
        yield from _try(setup, frame, graphics, frame, clean, keep)

    return Job("overlays", "Measuring what the graphics do", work)


def with_calipers_job(setup: Setup, calipers: Calipers, keep: Callable[[Trial], None]) -> Job:
    """Return a job that pastes calipers, and calls ``keep`` with what that does, in the worker."""

    def work() -> Iterator[Progress]:
        from napari_segcam.imaging.burned_in.calipers import paste_calipers

        cine = setup.source.cine
        frame = cine[setup.frame]
        pasted = paste_calipers(
            frame, calipers.points, calipers.style, line=calipers.line, value_range=cine.value_range
        )
        change = pasted != frame
        yield from _try(setup, frame, change if change.ndim == 2 else change.any(2), pasted, pasted, keep)

    return Job("overlays", "Trying calipers", work)


def _try(
    setup: Setup,
    original: NDArray[np.generic],
    graphics: NDArray[np.bool_],
    with_graphics: NDArray[np.generic],
    changed: NDArray[np.generic],
    keep: Callable[[Trial], None],
) -> Iterator[Progress]:
    """Measure the effect of graphics, one forward pass after the other; frames come between."""
    from napari_segcam.evidence.overlay_effect import overlay_effect_steps
    from napari_segcam.explanation.explainer import Explainer
    from napari_segcam.explanation.slow_methods.control import Cancelled
    from napari_segcam.explanation.targets.target import Target
    from napari_segcam.imaging.scan.region import known_scan

    cine, crop = setup.source.cine, setup.source.crop
    explainer = Explainer(setup.network, stages=(), threshold=setup.threshold)
    target = Target(setup.class_index, region="image")
    before, after = (
        explainer(frame, target, cine.value_range, crop, cine.pixel_aspect) for frame in (original, changed)
    )
    explained = after if with_graphics is changed else before
    steps = overlay_effect_steps(
        explained,
        explainer,
        with_graphics,
        cine.value_range,
        graphics=graphics,
        scan=known_scan(cine),
        cancelled=setup.cancelled,
    )
    try:
        while True:
            done, total = next(steps)
            yield Progress(done, total, f"{done} of {total} runs of the network")
    except Cancelled:
        return
    except StopIteration as end:
        pixels = int(before.target_mask.sum()), int(after.target_mask.sum())
        keep(Trial(end.value, graphics, changed, after.mask, pixels))
    yield Progress(1, 1, "")
