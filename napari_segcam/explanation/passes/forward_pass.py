"""The one pass: one forward and one backward per score give the activations and gradients of every selected stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.network.stages.stage import Stage
from napari_segcam.network.stages.survey import logits_of


class Forward:
    """A forward pass that was made, from which the gradients of any number of scores can be taken.

    Attributes:
        logits: ``(B, C, H, W)``, detached.
        activations: by stage name, each ``(B, K, h, w)``, detached; a stage that did not run is missing.
    """

    def __init__(self, logits: torch.Tensor, taps: Mapping[str, torch.Tensor]) -> None:
        self._logits = logits
        self._taps = dict(taps)
        self.logits = logits.detach()
        self.activations = {name: tap.detach() for name, tap in taps.items()}

    def gradients(self, weights: torch.Tensor, *, keep: bool = False) -> dict[str, torch.Tensor | None]:
        """The gradients of the score y = Σ weights · logits, by stage name, in the shape of the activations.

        Args:
            weights: ``(B, C, H, W)``. As the frames of a batch do not influence each other, each gets its own score.
            keep: whether gradients of another score are to follow; else the graph is freed.

        Returns:
            None for a stage on which the score does not depend.
        """
        if not self._logits.requires_grad:
            return dict.fromkeys(self._taps)
        taps = list(self._taps.values())
        found = torch.autograd.grad(self._logits, taps, weights, retain_graph=keep, allow_unused=True)
        return dict(zip(self._taps, found, strict=True))


def forward(module: nn.Module, x: torch.Tensor, stages: Sequence[Stage], *, graph: bool = True) -> Forward:
    """Run a frozen, eval-mode module once, ready for gradients with respect to the stages.

    The graph begins at the first selected stage reached: whatever lies before it runs without one. A layer that runs
    several times counts with its last run.

    Args:
        module: its parameters must not require gradients; it is left as it was.
        x: the input ``(B, C, H, W)``.
        stages: to be tapped; without any, there is no graph at all.
        graph: whether gradients will be asked for.

    Raises:
        SegcamError: if the module gives no logits as large as its input.
    """
    if not stages:
        # no_grad and not inference_mode: what a module caches in the latter cannot serve a later pass with a graph.
        with torch.no_grad():
            return Forward(_logits(module, x), {})
    with torch.set_grad_enabled(graph), _taps(module, stages, (x.shape[-2], x.shape[-1])) as taps:
        logits = _logits(module, x)
    return Forward(logits, {stage.name: taps[stage.name] for stage in stages if stage.name in taps})


def _logits(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    logits = logits_of(module(x))
    if logits.shape[-2:] not in (x.shape[-2:], (1, 1)):  # one pixel: the scores of a classification network
        raise SegcamError(
            f"This network's output has {tuple(logits.shape[-2:])} pixels for an input of {tuple(x.shape[-2:])}: "
            "only networks whose mask is as large as their input are supported."
        )
    # Half precision is for the network alone.
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


@contextmanager
def _taps(module: nn.Module, stages: Sequence[Stage], size: tuple[int, int]) -> Iterator[dict[str, torch.Tensor]]:
    """Collect the stages' maps by name while the module runs on an input of this size; no hook is left behind."""
    taps: dict[str, torch.Tensor] = {}

    def tap(stage: Stage, output: torch.Tensor) -> torch.Tensor:
        # Where nothing selected lies before it, the graph begins here.
        begins = torch.is_grad_enabled() and not output.requires_grad
        held = stage.layout.map_of(output, size, stage.stride)
        taps[stage.name] = held.detach().requires_grad_() if begins else held
        given = stage.layout.restored(taps[stage.name], output)
        # An in-place layer that follows must change a copy, or it would change what is explained.
        return given.clone() if stage.overwritten else given

    def watch(stage: Stage) -> Callable[[nn.Module, Any, Any], Any]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> Any:
            if stage.output is None:
                return tap(stage, output)
            tapped = list(output)
            tapped[stage.output] = tap(stage, output[stage.output])
            return type(output)(tapped)

        return hook

    def begin_graph(_module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(
            value.detach().requires_grad_()
            if torch.is_tensor(value) and value.is_floating_point() and not value.requires_grad
            else value
            for value in inputs
        )

    handles = []
    try:
        for stage in stages:
            layer = module.get_submodule(stage.layer)
            handles.append(layer.register_forward_hook(watch(stage)))
        # The outputs of one layer may depend on each other: its graph must begin before it.
        for name in {stage.layer for stage in stages if stage.output is not None}:
            handles.append(module.get_submodule(name).register_forward_pre_hook(begin_graph))
        yield taps
    finally:
        for handle in handles:
            handle.remove()
