"""What a user must decide before a network is used: offered instead of a network, and never decided silently."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_segcam.errors import SegcamError
from napari_segcam.network.source import ModelSource

if TYPE_CHECKING:
    from napari_segcam.network.families.structure.offer import StructureOffer
    from napari_segcam.network.model_card import ModelCard

_MOST = 4  # candidates that are shown: each is loaded for its picture


class _Text:
    """Every text of the offers."""

    STRUCTURE = "{name}: read by its structure"
    STRUCTURE_WORDS = "The names of the weights are not known, but their shapes read as {summary}."
    NOT_DECIDED = " Nothing in the file decides: {names}."
    USE_STRUCTURE = "Use this structure"
    BEST = "Best: {words}"
    ONE = "As read"
    OUTPUT = "{name}: which output?"
    OUTPUT_WORDS = "The network returns several outputs. Which one is the segmentation?"
    ONE_OUTPUT = "Output {name}"
    USE_OUTPUT = "Use this output"


@dataclass(frozen=True)
class Candidate:
    """One way to use the file.

    Attributes:
        label: in a few words, as it differs from the others.
        details: all that is known and assumed, in lines.
        source: that loads it.
    """

    label: str
    details: str
    source: ModelSource


@dataclass(frozen=True, eq=False)
class LoadOffer:
    """What the user decides before a network is used.

    Attributes:
        title: in a few words.
        words: what was found, and what is asked.
        candidates: the best first; never empty.
        accept: words on the button that takes a candidate.
        has_best: whether the first candidate is proposed; otherwise nothing is chosen yet.
        device: for loading.
        card: for loading; None for the one beside the file.
    """

    title: str
    words: str
    candidates: tuple[Candidate, ...]
    accept: str
    has_best: bool
    device: str
    card: ModelCard | None


def offer_of(fault: SegcamError, source: ModelSource, device: str, card: ModelCard | None) -> LoadOffer | None:
    """Return what to ask instead of an error that says that the user must decide; None for another error.

    Args:
        fault: raised by ``source.load``.
        source: that was to be loaded.
        device: on which.
        card: with which card.
    """
    from napari_segcam.network.families.structure.offer import StructureOffered
    from napari_segcam.network.output.output_choice import UnclearOutput

    if isinstance(fault, StructureOffered):
        offer = fault.offer
        candidates = tuple(
            Candidate(
                _difference(candidate.assumptions, offer.best.assumptions) if number > 1 else _first_label(offer),
                "\n".join((candidate.evidence, *_lines(candidate.assumptions))),
                replace(source, accept_structure=number),
            )
            for number, candidate in enumerate(offer.candidates[:_MOST], start=1)
        )
        words = _Text.STRUCTURE_WORDS.format(summary=offer.summary)
        if offer.open_assumptions:
            words += _Text.NOT_DECIDED.format(names=", ".join(map(_plain, offer.open_assumptions)))
        title = _Text.STRUCTURE.format(name=source.title)
        return LoadOffer(title, words, candidates, _Text.USE_STRUCTURE, True, device, card)
    if isinstance(fault, UnclearOutput):
        candidates = tuple(
            Candidate(
                _Text.ONE_OUTPUT.format(name=name), _Text.ONE_OUTPUT.format(name=words), replace(source, output=name)
            )
            for name, words in fault.outputs[:_MOST]
        )
        title = _Text.OUTPUT.format(name=source.title)
        return LoadOffer(title, _Text.OUTPUT_WORDS, candidates, _Text.USE_OUTPUT, False, device, card)
    return None


def _first_label(offer: StructureOffer) -> str:
    if len(offer.candidates) == 1:
        return _Text.ONE
    return _Text.BEST.format(words=_difference(offer.best.assumptions, offer.candidates[1].assumptions))


def _difference(assumptions: Mapping[str, str], others: Mapping[str, str]) -> str:
    """Return the assumptions that are not the same in another candidate, in a few words."""
    different = [f"{_plain(name)} {value}" for name, value in assumptions.items() if others.get(name) != value]
    return ", ".join(different) or _Text.ONE


def _lines(assumptions: Mapping[str, str]) -> list[str]:
    return [f"Assumed {_plain(name)}: {value}" for name, value in assumptions.items()]


def _plain(name: str) -> str:
    return name.replace("_", " ")
