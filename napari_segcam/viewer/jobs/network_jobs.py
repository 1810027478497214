"""Jobs that load a network, save its model card, find the scan or save corrections."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.network.source import ModelSource
from napari_segcam.viewer.frames.layer_source import LayerSource
from napari_segcam.viewer.jobs.load_offer import LoadOffer, offer_of
from napari_segcam.viewer.layers.correction_layer import CorrectionLayer
from napari_segcam.viewer.mendable_errors import show_info
from napari_segcam.viewer.responsiveness.garbage_collection import without_gc_pause
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:  # torch comes with these: they are imported in the worker, where nobody waits for it
    from napari_segcam.imaging.scan.region import ScanRegion
    from napari_segcam.network.model_card import ModelCard
    from napari_segcam.network.network import Network

LabelsAndNames = tuple[NDArray[np.uint8], Mapping[int, str]]  # labels ``(Y, X)`` of a correction, and their names


def load_job(
    source: ModelSource,
    device: str,
    card: ModelCard | None,
    then: Callable[[Network], None],
    offer: Callable[[LoadOffer], None],
) -> Job:
    """Return a job that loads a network, or finds that the user must decide something first.

    Args:
        source: what it is loaded from.
        device: as for ``load_network``.
        card: as for ``load_network``.
        then: called with the network.
        offer: called with what the user must decide, instead.
    """

    def work() -> Iterator[Network | LoadOffer]:
        try:
            with without_gc_pause():
                loaded: Network | LoadOffer = source.load(device, card)
        except SegcamError as fault:
            offered = offer_of(fault, source, device, card)
            if offered is None:
                raise
            loaded = offered
        yield loaded

    def take(loaded: Network | LoadOffer) -> None:
        if isinstance(loaded, LoadOffer):
            offer(loaded)
        else:
            then(loaded)

    return Job("load", f"Loading {source.title}", work, on_result=take)


def card_job(network: Network, card: ModelCard, path: Path, then: Callable[[str | None], None]) -> Job:
    """Return a job that writes the model card of a network, and replaces an earlier file.

    Args:
        network: whose card it is.
        card: what to write; the checksum of the weights is added.
        path: of the file.
        then: called with the reason if it could not be written, else with None.
    """

    def work() -> Iterator[str | None]:
        from napari_segcam.network.loading import card_fields
        from napari_segcam.network.model_card import make_card, write_card

        activation = {"output_activation": card.output_activation} if card.output_activation else {}
        try:
            write_card(
                make_card(card_fields(network) | activation, card),
                path,
                force=True,
                assumed=_still_assumed(network, card),
            )
        except SegcamError as fault:
            yield str(fault)
        else:
            yield None

    return Job("card", f"Writing {path.name}", work, on_result=then)


def scan_job(source: LayerSource, corners: ArrayLike | None, then: Callable[[ScanRegion], None]) -> Job:
    """Return a job that finds the region of the scan in an image.

    Args:
        source: the frames.
        corners: corners of the user's drawing around the scan, as ``drawn_on`` returns them; None to detect the scan.
        then: called with the region.
    """

    def work() -> Iterator[ScanRegion]:
        from napari_segcam.imaging.scan.region import ScanRegion, find_scan_region

        shape = source.cine.frame_shape
        yield find_scan_region(source.cine) if corners is None else ScanRegion.drawn(corners, (shape[0], shape[1]))

    return Job("scan", "Finding the scan", work, on_result=then)


def corrections_job(
    folder: Path,
    copies: Sequence[tuple[CorrectionLayer, Mapping[int, LabelsAndNames]]],
    then: Callable[[], object],
) -> Job:
    """Return a job that writes corrections.

    Args:
        folder: to write to.
        copies: each layer of corrections with copies of them, by frame.
        then: called when all are on disk.
    """

    def work() -> Iterator[None]:
        from napari_segcam.reporting.correction import Correction, write_corrections

        for layer, frames in copies:
            corrections = {frame: Correction(labels, names) for frame, (labels, names) in frames.items()}
            write_corrections(folder, layer.title, corrections)
        yield None

    def mark_saved(_result: None) -> None:
        for layer, frames in copies:
            layer.mark_saved({frame: labels for frame, (labels, _) in frames.items()})
        show_info(f"The corrections are saved in {folder}.")
        then()

    return Job("save", "Saving the corrections", work, on_result=mark_saved)


def _still_assumed(network: Network, card: ModelCard) -> dict[str, str]:
    """Return what is still assumed of a network with another card; as ``Network.assumed``."""
    from napari_segcam.network.class_overlap import assumed_overlap

    stated = {*card.options, *(name for name in card.model_fields_set if getattr(card, name) is not None)}
    if not assumed_overlap(card, network.trace):
        stated.add("classes_overlap")
    return {name: value for name, value in network.assumed.items() if name not in stated}
