"""Rank the ways to build a network by what a trial of each gives."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from napari_segcam.network.families.structure.choices import Choices, default_choices, open_choices
from napari_segcam.network.families.structure.statistics import has_statistics, possible_momenta, without_start
from napari_segcam.network.families.structure.trial import Trial, build_module, run_trial, trial_setup
from napari_segcam.network.families.structure.trial_images import NORMALIZATIONS, SOURCES, TrialSetup
from napari_segcam.network.families.structure.wiring import Wiring

_ROUNDS = 2
_CLEARLY = 0.9  # so small an effect must be seen clearly
_GOOD = 0.03  # a disagreement below this needs no unusual activation

# In the order of the layers that they change first.
_ORDER = (
    "activation",
    "norm",
    "norm_place",
    "pooling",
    "residual_activation",
    "unnormed_activation",
    "up_activation",
    "upsampling",
    "concatenation",
)
_UNUSUAL = ("tanh",)

# Activations that are tried only if another one, which is close to them, agrees best so far.
_ONLY_NEAR = {
    "leaky_relu_0.01": "relu",
    "leaky_relu_0.2": "leaky_relu_0.1",
    "selu": "elu",
    "gelu": "silu",
    "mish": "silu",
}


@dataclass(frozen=True)
class Tried:
    """A network that was tried: how it is built, on which images, and the result."""

    wiring: Wiring
    choices: Choices
    setup: TrialSetup
    trial: Trial

    @property
    def score(self) -> float:
        """The smaller, the better."""
        return self.trial.disagreement if self.trial.runs else math.inf


def rank(wirings: Sequence[Wiring], weights: Mapping[str, torch.Tensor]) -> list[Tried]:
    """Return the networks that were tried and run, the best first.

    With batch-norm statistics, each choice is changed in turn while the others stay, and what agrees best is kept.
    Without, the usual choices come first.
    """
    if not has_statistics(weights):
        results = [result for wiring in wirings for result in _Trials(wiring, weights).alternatives()]
        return [result for result in results if result.trial.runs]
    unskipped = [wiring.without_added_skips() for wiring in wirings if "add" in wiring.joins]
    searches = [_Trials(wiring, weights) for wiring in (*wirings, *unskipped)]
    starts: list[tuple[Tried, _Trials]] = []
    for search in searches:
        first = starts[0][1] if starts and starts[0][0].trial.runs else None
        starts.append((search.start(first), search))
    starts.sort(key=lambda item: item[0].score)
    tried: list[Tried] = []
    best: Tried | None = None
    for start, search in starts:
        # With the choices that agree best, it is seen at once whether another wiring agrees better.
        result = start if best is None else search.with_choices(best)
        if best is None or result.score < best.score:
            best = search.search(result)
        tried += search.results
    tried = [result for result in tried if result.trial.runs]
    return sorted(tried, key=lambda result: (result is not best, result.score, result.wiring.cost))


class _Trials:
    """The trials of one wiring."""

    def __init__(self, wiring: Wiring, weights: Mapping[str, torch.Tensor]) -> None:
        self._wiring, self._weights = wiring, weights
        self._setup = trial_setup(wiring)
        self._momentum = 0.0
        self._statistics: dict[str, torch.Tensor] = {}
        self._results: dict[tuple[Choices, TrialSetup, float], Tried] = {}

    def start(self, other: _Trials | None) -> Tried:
        """Return the usual choices, with the images and the momentum that agree best, or those of another search."""
        self._use_momentum(possible_momenta(self._weights)[0] if other is None else other._momentum)
        if other is None:
            return self._best_images(default_choices(self._wiring))
        self._setup = replace(self._setup, source=other._setup.source, normalization=other._setup.normalization)
        return self._try(default_choices(self._wiring))

    def with_choices(self, other: Tried) -> Tried:
        """Return this wiring with the choices and images of another result."""
        self._setup = replace(self._setup, source=other.setup.source, normalization=other.setup.normalization)
        return self._try(other.choices)

    def search(self, best: Tried) -> Tried:
        """Return the choices that agree best: each is changed in turn while the others stay."""
        for _ in range(_ROUNDS):
            before = best.choices
            for name in _ORDER:
                best = self._best_value(best, name)
            if best.choices == before:
                break
            best = self._best_images(best.choices)
        return best

    @property
    def results(self) -> list[Tried]:
        """What was tried on the images that agree best."""
        return [
            result
            for (_, setup, momentum), result in self._results.items()
            if setup == self._setup and momentum == self._momentum
        ]

    def alternatives(self) -> list[Tried]:
        """Return the usual choices, and each network in which one of them is another."""
        usual = default_choices(self._wiring)
        changed = [
            replace(usual, **{name: value})
            for name, values in open_choices(self._wiring).items()
            for value in values
            if getattr(usual, name) != value
        ]
        return [self._try(choices) for choices in (usual, *changed)]

    def _use_momentum(self, momentum: float) -> None:
        self._momentum = momentum
        self._statistics = without_start(self._weights, momentum)

    def _try(self, choices: Choices) -> Tried:
        key = choices, self._setup, self._momentum
        if key not in self._results:
            module = build_module(self._wiring, choices, self._weights)
            trial = run_trial(module, self._setup, self._statistics)
            self._results[key] = Tried(self._wiring, choices, self._setup, trial)
        return self._results[key]

    def _best_images(self, choices: Choices) -> Tried:
        by_normalization = [replace(self._setup, normalization=normalization) for normalization in NORMALIZATIONS]
        self._setup = min(by_normalization, key=lambda setup: self._score(choices, setup, self._momentum))
        by_source = [replace(self._setup, source=source) for source in SOURCES]
        self._setup = min(by_source, key=lambda setup: self._score(choices, setup, self._momentum))
        momenta = possible_momenta(self._weights)
        self._use_momentum(min(momenta, key=lambda momentum: self._score(choices, self._setup, momentum)))
        return self._try(choices)

    def _score(self, choices: Choices, setup: TrialSetup, momentum: float) -> float:
        self._setup = setup
        if momentum != self._momentum:
            self._use_momentum(momentum)
        return self._try(choices).score

    def _best_value(self, best: Tried, name: str) -> Tried:
        for value in open_choices(self._wiring).get(name, ()):
            needed = _ONLY_NEAR.get(value)
            if (needed is None and value in _UNUSUAL and best.score < _GOOD) or (
                needed and needed != best.choices.activation
            ):
                continue
            result = self._try(replace(best.choices, **{name: value}))
            least = _CLEARLY if value == "leaky_relu_0.01" else 1.0
            if result.score < least * best.score:
                best = result
        return best
