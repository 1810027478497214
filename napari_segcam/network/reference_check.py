"""Check a network with a saved input and the output that it must give: what was assumed is then verified."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from napari_segcam.errors import SegcamError
from napari_segcam.network.model_card import make_card
from napari_segcam.network.network import Network
from napari_segcam.network.reference_pair import Comparison, ReferencePair, compare
from napari_segcam.network.running.dry_run import failure_in_words

# What a network is built from, which a reproduced output proves. How the image is prepared it does not prove.
_NOT_PROVEN = ("normalization", "size", "classes_overlap", "channel_order")

# Whether the classes overlap, by what the saved output holds.
_OVERLAP = {"sigmoid": True, "softmax": False, "log_softmax": False}


@dataclass(frozen=True)
class ReferenceCheck:
    """The result of a check.

    Attributes:
        comparison: the largest difference, the tolerance, and what the saved output holds.
        network: the network, whose card holds ``verified`` if it agrees; its assumptions about how it is built are then
            no longer assumed.
    """

    comparison: Comparison
    network: Network

    @property
    def agrees(self) -> bool:
        return self.comparison.agrees

    @property
    def text(self) -> str:
        """The result in a sentence."""
        figures = f"{self.comparison.largest_difference:.2g} at most, tolerance {self.comparison.tolerance:.2g}"
        form = self.comparison.form
        holds = "the logits" if form == "logits" else f"the {form} of the logits"
        if self.agrees:
            return f"Verified: the network reproduces the saved output, which holds {holds} (difference {figures})."
        return f"The network does not reproduce the saved output: difference {figures}, compared with {holds}."


def check_reference(network: Network, pair: ReferencePair) -> ReferenceCheck:
    """Run a network on a saved input and compare what it gives with the saved output.

    The saved output may hold logits, or their sigmoid, softmax or log-softmax.

    Args:
        network: its preprocessing is not used: the input is as the network takes it.
        pair: see ``read_pair`` and ``pair_of``.

    Raises:
        SegcamError: if the network does not run on this input, or gives another shape.
    """
    channels = pair.input.shape[1]
    if channels != network.card.input_channels:
        raise SegcamError(
            f"The reference input has {channels} channels, but {network.name} takes {network.card.input_channels}."
        )
    logits = []
    with network.lock, torch.no_grad():
        for image in torch.from_numpy(pair.input):
            try:
                logits.append(network.module(image[None].to(network.device, network.dtype)).float().cpu())
            except RuntimeError as error:
                raise SegcamError(
                    f"{network.name} does not run on the reference input: {failure_in_words(error)}."
                ) from error
    comparison = compare(torch.cat(logits), pair)
    if not comparison.agrees:
        return ReferenceCheck(comparison, network)
    verified = {
        "input_sha256": pair.input_sha256,
        "output_sha256": pair.output_sha256,
        "largest_difference": comparison.largest_difference,
        "tolerance": comparison.tolerance,
    }
    fields: dict[str, object] = {"verified": verified}
    assumed = {name: value for name, value in network.assumed.items() if name in _NOT_PROVEN}
    if network.segments and network.classes > 1 and comparison.form in _OVERLAP:
        assumed.pop("classes_overlap", None)
        if "classes_overlap" not in network.card.model_fields_set:
            fields["classes_overlap"] = _OVERLAP[comparison.form]
    return ReferenceCheck(comparison, replace(network, card=make_card(fields, network.card), assumed=assumed))


def checked_if_possible(network: Network, pair: ReferencePair) -> Network:
    """Return a network checked with the pair that its package holds.

    If it agrees, the card says so; if it differs or cannot be compared, a warning says why. The package itself may be
    wrong, so this refuses nothing.
    """
    try:
        result = check_reference(network, pair)
    except SegcamError as error:
        warning = f"The network was not checked with the package's test tensors: {error}"
    else:
        if result.agrees:
            return result.network
        warning = f"{result.text} These are the test tensors of its package: masks may be wrong."
    return replace(network, warnings=(*network.warnings, warning))
