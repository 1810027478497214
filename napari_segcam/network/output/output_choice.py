"""The choice among several outputs: by evidence, which is said, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args

import torch

from napari_segcam.errors import SegcamError
from napari_segcam.network.output.activation_inverse import Activation, apply_activation
from napari_segcam.network.output.autograd_graph import (
    ancestors,
    count_weighted,
    find_ending,
    skip_moves,
    width_before_upsampling,
)
from napari_segcam.network.output.candidates import OutputCandidate, words_in

_MAIN_WORDS = """
    out output outputs logit logits seg segm segmentation segmentations mask masks pred preds prediction
    predictions main final fused fuse refined semantic sem y yhat prob probs probability probabilities
    score scores result foreground
"""
_MAIN = frozenset(_MAIN_WORDS.split())
_BESIDE_WORDS = """
    aux auxiliary deep ds side feat feats feature features embed embedding embeddings hidden state
    states attention attentions attn loss losses edge edges boundary boundaries contour contours
    distance dist sdm sdf uncertainty var std variance sigma logvar recon reconstruction reconstructed depth
    input inputs image images projection proj latent mu z kl coarse intermediate encoder backbone
    bottleneck quality iou
"""
_BESIDE = frozenset(_BESIDE_WORDS.split())
# More classes than this have few segmentations, more channels many feature maps.
_MANY_CHANNELS = 64
# No map of scores is this many times smaller than the image.
_COARSEST = 16
# The deeper of two outputs has so many more layers of its own: a block and not just another head.
_BLOCK = 2
_LISTED = 8


@dataclass(frozen=True)
class OutputChoice:
    """The output that is read.

    Attributes:
        output: it.
        why: the evidence for it, for people; empty where there is no other, or the card names it.
    """

    output: OutputCandidate
    why: str


def choose_output(
    found: Sequence[OutputCandidate], side: tuple[int, int], wanted: str | None, classes: int
) -> OutputChoice:
    """The output that is the segmentation, or else the class scores.

    Args:
        found: all that may be it, with their graphs.
        side: height and width of the image, pixels.
        wanted: the name of the output that the user chose.
        classes: how many the user named; 0 where none.

    Raises:
        SegcamError: if there is no such output, or nothing tells which of several it is.
    """
    if wanted is not None:
        return OutputChoice(_named(wanted, found), "")
    likely, why = list(found), ""
    for words, narrowed in _evidence(side, classes):
        if len(likely) == 1:
            break
        kept = narrowed(likely)
        if kept and len(kept) < len(likely):
            likely, why = kept, words
    if len(likely) > 1:
        raise SegcamError(
            f"The network returns {len(found)} outputs, and nothing tells which of these is the segmentation: "
            f"{_listed(likely)}. Name it as output in the model card, or with --output."
        )
    return OutputChoice(likely[0], why if len(found) > 1 else "")


def _named(wanted: str, found: Sequence[OutputCandidate]) -> OutputCandidate:
    for one in found:
        if one.name == wanted:
            return one
    names = [one.name for one in found]
    if names == [""]:
        raise SegcamError(f"The network has no output named {wanted!r}: it has one output, which needs no name.")
    close = get_close_matches(wanted, names, n=1, cutoff=0.6)
    raise SegcamError(
        f"The network has no output named {wanted!r}{f' (did you mean {close[0]}?)' if close else ''}. "
        f"Choose from: {_listed(found)}."
    )


def _listed(found: Sequence[OutputCandidate]) -> str:
    shown = ", ".join(one.in_words() for one in found[:_LISTED])
    return shown + (f" and {len(found) - _LISTED} more" if len(found) > _LISTED else "")


_Narrowed = Callable[[list[OutputCandidate]], list[OutputCandidate]]


def _evidence(side: tuple[int, int], classes: int) -> Iterator[tuple[str, _Narrowed]]:
    """What is looked at, one after the other: the words for it, and which candidates it leaves."""
    yield "by its name", lambda seen: [one for one in seen if _rank_of_name(one) >= 0]
    yield "as large as the image", lambda seen: [one for one in seen if one.size == side]
    if classes:
        yield f"it has the {classes} classes of the card", lambda seen: [one for one in seen if one.channels == classes]
    yield "by its name", _best(_rank_of_name)
    yield "made from the others", _last_made
    yield "a map of scores", lambda seen: [one for one in seen if _may_be_scores(one, side)]
    yield "the scores of classes", lambda seen: [one for one in seen if not one.is_map]
    yield "the others have too many channels", lambda seen: [one for one in seen if one.channels <= _MANY_CHANNELS]
    yield "the same before its activation", _once
    yield "drawn from the finest map", _best(lambda one: width_before_upsampling(one.step, one.size[1]))
    yield "it has most layers of its own", _deepest


def _may_be_scores(one: OutputCandidate, side: tuple[int, int]) -> bool:
    return one.is_map and one.channels <= _MANY_CHANNELS and one.size[0] * _COARSEST > side[0]


def _best(rank: Callable[[OutputCandidate], float]) -> _Narrowed:
    def narrowed(seen: list[OutputCandidate]) -> list[OutputCandidate]:
        best = max(map(rank, seen))
        return [one for one in seen if rank(one) == best]

    return narrowed


def _rank_of_name(one: OutputCandidate) -> int:
    words = words_in(one.name)
    return -1 if words & _BESIDE else int(bool(words & _MAIN))


def _last_made(seen: list[OutputCandidate]) -> list[OutputCandidate]:
    """Those that none of the others is made from, except what only follows from one, as a variance does."""
    ends = [skip_moves(one.step) for one in seen]
    above = [ancestors([end]) - {end} for end in ends if end is not None and not _is_worked_out(end, ends)]
    return [one for one, end in zip(seen, ends, strict=True) if end is None or not any(end in steps for steps in above)]


def _is_worked_out(end: Any, ends: list[Any]) -> bool:
    """Whether an output is made from one of the others alone, and no layer stands in between."""
    steps = ancestors([end])
    sources = {one for one in ends if one is not None and one in steps} - {end}
    return len(sources) == 1 and not count_weighted(steps - ancestors(sources))


def _once(seen: list[OutputCandidate]) -> list[OutputCandidate]:
    """Of those that are the same but for an activation, the one without it; else the first."""
    kept: list[OutputCandidate] = []
    for one in sorted(seen, key=lambda one: not find_ending(one.map).makes_logits):
        if not any(_is_the_same(one.map, other.map) for other in kept):
            kept.append(one)
    return [one for one in seen if one in kept]


def _is_the_same(output: torch.Tensor, logits: torch.Tensor) -> bool:
    """Whether an output is another one, or an activation of it."""
    if output.shape != logits.shape:
        return False
    return any(
        torch.allclose(apply_activation(logits.detach().float(), kind), output.detach().float(), atol=1e-5)
        for kind in get_args(Activation)
    )


def _deepest(seen: list[OutputCandidate]) -> list[OutputCandidate]:
    """The one that has a block more than each of the others that the others do not depend on; all if there is none."""
    above = [ancestors([one.step]) for one in seen]
    for number, one in enumerate(seen):
        others = (steps for other, steps in enumerate(above) if other != number)
        if all(
            count_weighted(above[number] - steps) >= count_weighted(steps - above[number]) + _BLOCK for steps in others
        ):
            return [one]
    return seen
