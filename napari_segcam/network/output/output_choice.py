"""The choice among several outputs: by evidence, which is reported, or not at all."""

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
from napari_segcam.remedies import remedy

_MAIN_WORDS = """
    out output outputs logit logits seg segm segmentation segmentations mask masks pred preds prediction
    predictions main final fused fuse refined semantic sem y yhat prob probs probability probabilities
    score scores result foreground
"""
_MAIN = frozenset(_MAIN_WORDS.split())
_AUXILIARY_WORDS = """
    aux auxiliary deep ds side feat feats feature features embed embedding embeddings hidden state
    states attention attentions attn loss losses edge edges boundary boundaries contour contours
    distance dist sdm sdf uncertainty var std variance sigma logvar recon reconstruction reconstructed depth
    input inputs image images projection proj latent mu z kl coarse intermediate encoder backbone
    bottleneck quality iou
"""
_AUXILIARY = frozenset(_AUXILIARY_WORDS.split())
# Few segmentations have more classes than this; many feature maps have more channels.
_MANY_CHANNELS = 64
# A map of scores is never this many times smaller than the image.
_COARSEST = 16
# So many more layers make one output deeper than another: a block, not only another head.
_BLOCK = 2
_LISTED = 8


@dataclass(frozen=True)
class OutputChoice:
    """The chosen output.

    Attributes:
        output: the one that is read.
        reason: the evidence, to show to users; empty if there is no other output, or the card names it.
    """

    output: OutputCandidate
    reason: str


class UnclearOutput(SegcamError):  # noqa: N818 - it is a question
    """Raised instead of reading one of several outputs without evidence.

    Attributes:
        outputs: name of each output that may be the segmentation, and the name with its size in words.
    """

    def __init__(self, message: str, outputs: tuple[tuple[str, str], ...]) -> None:
        super().__init__(message)
        self.outputs = outputs


def choose_output(
    candidates: Sequence[OutputCandidate], side: tuple[int, int], name: str | None, classes: int
) -> OutputChoice:
    """Choose the output that is the segmentation, or else the class scores.

    Args:
        candidates: all outputs that may be it, with their graphs.
        side: height and width of the image, pixels.
        name: of the output that the user chose.
        classes: number of classes that the user named; 0 if none.

    Raises:
        UnclearOutput: if the evidence does not decide.
        SegcamError: if there is no such output.
    """
    if name is not None:
        return OutputChoice(_output_named(name, candidates), "")
    remaining, reason = list(candidates), ""
    for phrase, narrow in _evidence(side, classes):
        if len(remaining) == 1:
            break
        kept = narrow(remaining)
        if kept and len(kept) < len(remaining):
            remaining, reason = kept, phrase
    if len(remaining) > 1:
        raise UnclearOutput(
            f"The network returns {len(candidates)} outputs, and it is not clear which of these is the segmentation: "
            f"{_listing(remaining)}. Name it as output in the model card, or with {remedy('output')}.",
            tuple((output.name, output.in_words()) for output in remaining),
        )
    return OutputChoice(remaining[0], reason if len(candidates) > 1 else "")


def _output_named(name: str, candidates: Sequence[OutputCandidate]) -> OutputCandidate:
    for candidate in candidates:
        if candidate.name == name:
            return candidate
    names = [candidate.name for candidate in candidates]
    if names == [""]:
        raise SegcamError(f"The network has no output named {name!r}: it has one output, which needs no name.")
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    raise SegcamError(
        f"The network has no output named {name!r}{f' (did you mean {close[0]}?)' if close else ''}. "
        f"Choose from: {_listing(candidates)}."
    )


def _listing(candidates: Sequence[OutputCandidate]) -> str:
    shown = ", ".join(candidate.in_words() for candidate in candidates[:_LISTED])
    return shown + (f" and {len(candidates) - _LISTED} more" if len(candidates) > _LISTED else "")


_Filter = Callable[[list[OutputCandidate]], list[OutputCandidate]]


def _evidence(side: tuple[int, int], classes: int) -> Iterator[tuple[str, _Filter]]:
    """The evidence, in order: a phrase for it, and a filter of the candidates."""
    yield "by its name", lambda outputs: [output for output in outputs if _name_rank(output) >= 0]
    yield "as large as the image", lambda outputs: [output for output in outputs if output.size == side]
    if classes:
        yield (
            f"it has the {classes} classes of the card",
            lambda outputs: [output for output in outputs if output.channels == classes],
        )
    yield "by its name", _best(_name_rank)
    yield "made from the others", _final_outputs
    yield "a map of scores", lambda outputs: [output for output in outputs if _may_be_scores(output, side)]
    yield "the scores of classes", lambda outputs: [output for output in outputs if not output.is_map]
    yield (
        "the others have too many channels",
        lambda outputs: [output for output in outputs if output.channels <= _MANY_CHANNELS],
    )
    yield "the same before its activation", _without_duplicates
    yield "drawn from the finest map", _best(lambda output: width_before_upsampling(output.step, output.size[1]))
    yield "it has most layers of its own", _deepest


def _may_be_scores(output: OutputCandidate, side: tuple[int, int]) -> bool:
    return output.is_map and output.channels <= _MANY_CHANNELS and output.size[0] * _COARSEST > side[0]


def _best(rank: Callable[[OutputCandidate], float]) -> _Filter:
    def narrow(outputs: list[OutputCandidate]) -> list[OutputCandidate]:
        best = max(map(rank, outputs))
        return [output for output in outputs if rank(output) == best]

    return narrow


def _name_rank(output: OutputCandidate) -> int:
    words = words_in(output.name)
    return -1 if words & _AUXILIARY else int(bool(words & _MAIN))


def _final_outputs(outputs: list[OutputCandidate]) -> list[OutputCandidate]:
    """Outputs from which no other is made, not counting what only follows from one, such as a variance."""
    ends = [skip_moves(output.step) for output in outputs]
    above = [ancestors([end]) - {end} for end in ends if end is not None and not _is_derived(end, ends)]
    return [
        output
        for output, end in zip(outputs, ends, strict=True)
        if end is None or not any(end in steps for steps in above)
    ]


def _is_derived(end: Any, ends: list[Any]) -> bool:
    """Whether an output is computed from exactly one other, without a layer in between."""
    steps = ancestors([end])
    sources = {other for other in ends if other is not None and other in steps} - {end}
    return len(sources) == 1 and not count_weighted(steps - ancestors(sources))


def _without_duplicates(outputs: list[OutputCandidate]) -> list[OutputCandidate]:
    """Of outputs that differ only by an activation, the one without it; else the first."""
    kept: list[OutputCandidate] = []
    for output in sorted(outputs, key=lambda output: not find_ending(output.map).makes_logits):
        if not any(_is_same(output.map, other.map) for other in kept):
            kept.append(output)
    return [output for output in outputs if output in kept]


def _is_same(output: torch.Tensor, logits: torch.Tensor) -> bool:
    """Whether an output equals another one, or an activation of it."""
    if output.shape != logits.shape:
        return False
    return any(
        torch.allclose(apply_activation(logits.detach().float(), kind), output.detach().float(), atol=1e-5)
        for kind in get_args(Activation)
    )


def _deepest(outputs: list[OutputCandidate]) -> list[OutputCandidate]:
    """The output with at least a block more layers of its own than each other one; all outputs if there is none."""
    above = [ancestors([output.step]) for output in outputs]
    for number, output in enumerate(outputs):
        others = (steps for other, steps in enumerate(above) if other != number)
        if all(
            count_weighted(above[number] - steps) >= count_weighted(steps - above[number]) + _BLOCK for steps in others
        ):
            return [output]
    return outputs
