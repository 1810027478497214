"""Jobs of the session: what the worker does for it besides computing frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from napari.utils.notifications import show_info
from numpy.typing import ArrayLike, NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.network.source import ModelSource
from napari_segcam.viewer.frames.plan import LayerSource
from napari_segcam.viewer.layers.correction_layer import CorrectionLayer
from napari_segcam.viewer.responsiveness.garbage_collection import without_gc_pause
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:  # torch comes with these: they are imported in the worker, where nobody waits for it
    from napari_segcam.imaging.scan.region import ScanRegion
    from napari_segcam.network.model_card import ModelCard
    from napari_segcam.network.network import Network

Taken = tuple[NDArray[np.uint8], Mapping[int, str]]  # labels ``(Y, X)``, and what they are called


def loading(source: ModelSource, device: str, card: ModelCard | None, then: Callable[[Network], None]) -> Job:
    """Load a network.

    Args:
        source: what it is loaded from.
        device: as for ``load_network``.
        card: likewise.
        then: given the network.
    """

    def work() -> Iterator[Network]:
        with without_gc_pause():
            network = source.load(device, card)
        yield network

    return Job("load", f"Loading {source.title}", work, on_result=then)


def saving_card(network: Network, card: ModelCard, path: Path, then: Callable[[str | None], None]) -> Job:
    """Write a card of a network, in the place of one that is there.

    Args:
        network: whose card it is.
        card: what to write; the checksum of the weights is added.
        path: where to.
        then: told why it could not be written, or None.
    """

    def work() -> Iterator[str | None]:
        from napari_segcam.network.loading import card_fields
        from napari_segcam.network.model_card import make_card, write_card

        given = {"output_activation": card.output_activation} if card.output_activation else {}
        try:
            write_card(
                make_card(card_fields(network) | given, card), path, force=True, assumed=_still_assumed(network, card)
            )
        except SegcamError as fault:
            yield str(fault)
        else:
            yield None

    return Job("card", f"Writing {path.name}", work, on_result=then)


def finding_scan(source: LayerSource, drawn: ArrayLike | None, then: Callable[[ScanRegion], None]) -> Job:
    """Find the scan in an image, or take what the user has drawn around it.

    Args:
        source: the frames.
        drawn: corners, as ``drawn_on`` gives them; None to look into the frames.
        then: given the region.
    """

    def work() -> Iterator[ScanRegion]:
        from napari_segcam.imaging.scan.region import ScanRegion, find_scan_region

        shape = source.cine.frame_shape
        yield find_scan_region(source.cine) if drawn is None else ScanRegion.drawn(drawn, (shape[0], shape[1]))

    return Job("scan", "Finding the scan", work, on_result=then)


def saving_corrections(
    folder: Path, taken: Sequence[tuple[CorrectionLayer, Mapping[int, Taken]]], then: Callable[[], object]
) -> Job:
    """Write corrections.

    Args:
        folder: to write to.
        taken: of each image, what was taken of its corrections.
        then: called once all are on disk.
    """

    def work() -> Iterator[None]:
        from napari_segcam.reporting.correction import Correction, write_corrections

        for corrections, frames in taken:
            named = {frame: Correction(labels, names) for frame, (labels, names) in frames.items()}
            write_corrections(folder, corrections.title, named)
        yield None

    def note(_result: None) -> None:
        for corrections, frames in taken:
            corrections.mark_saved({frame: labels for frame, (labels, _) in frames.items()})
        show_info(f"The corrections are saved in {folder}.")
        then()

    return Job("save", "Saving the corrections", work, on_result=note)


def _still_assumed(network: Network, card: ModelCard) -> dict[str, str]:
    """What is assumed of a network once another card goes with it; as ``Network.assumed``."""
    from napari_segcam.network.class_overlap import assumed_overlap

    given = {*card.options, *(name for name in card.model_fields_set if getattr(card, name) is not None)}
    if not assumed_overlap(card, network.trace):
        given.add("classes_overlap")
    return {name: value for name, value in network.assumed.items() if name not in given}
