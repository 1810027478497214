"""The offer to use a network as its structure was read: what was read, what is assumed, and how to accept it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from napari_segcam.errors import SegcamError
from napari_segcam.remedies import remedy


@dataclass(frozen=True)
class StructureCandidate:
    """One way to build the network that weights of unknown names belong to.

    Attributes:
        settings: plain values that name this candidate, as the model card keeps them in ``structure``.
        assumptions: what the weights do not show → what is assumed, as in ``Network.assumed``.
        evidence: how well it agrees with the weights, in a sentence.
        disagreement: how far the activations are from the stored batch-norm statistics: 0 is equal, about 1 is
            unrelated. None if the weights hold no such statistics.
    """

    settings: Mapping[str, Any]
    assumptions: Mapping[str, str]
    evidence: str
    disagreement: float | None = None


@dataclass(frozen=True)
class StructureOffer:
    """What was read from weights of unknown names.

    Attributes:
        summary: what was read, in a sentence: levels, channels, blocks, classes.
        candidates: all that were tried and run, the best first; never empty.
        open_assumptions: names of the assumptions that nothing in the file decides between the candidates.
        is_sure: whether the statistics in the file agree with the first candidate and with none that differs from it.
    """

    summary: str
    candidates: tuple[StructureCandidate, ...]
    open_assumptions: tuple[str, ...]
    is_sure: bool

    @property
    def best(self) -> StructureCandidate:
        return self.candidates[0]


class StructureOffered(SegcamError):  # noqa: N818 - it is an offer
    """Raised instead of using an assumed structure silently.

    ``offer`` holds the candidates. To use the best one, load again with ``accept_structure=True``; to use the n-th of
    ``offer.candidates``, counted from 1, with ``accept_structure=n``. The card of the loaded network then holds
    ``structure``, so that after ``save_card`` nothing is asked again for these weights.
    """

    def __init__(self, path: object, offer: StructureOffer) -> None:
        self.offer = offer
        assumed = ", ".join(f"{name} {value}" for name, value in offer.best.assumptions.items())
        open_names = offer.open_assumptions
        open_text = f" The file does not decide: {', '.join(open_names)}." if open_names else ""
        if set(open_names) == set(offer.best.assumptions):
            open_text = " The file decides none of these."
        super().__init__(
            f"{path}: the names of the weights are not known, but their shapes read as {offer.summary}. "
            f"{offer.best.evidence} Assumed: {assumed}.{open_text} To use it, accept it "
            f"({remedy('accept_structure')}). To prove it, {remedy('check_structure')}. Or name the function that "
            f"makes the network ({remedy('factory')})."
        )
