"""The forward pass: activations of every selected stage, and the gradients of any score by one backward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.network.stages.forward_trace import logits_of
from napari_segcam.network.stages.stage import Stage


class ForwardPass:
    """Result of a forward pass, which gives the gradients of any number of scores.

    Attributes:
        logits: ``(B, C, H, W)``, detached.
        activations: by stage name, each ``(B, K, h, w)``, detached; a stage that did not run is missing.
    """

    def __init__(self, logits: torch.Tensor, taps: Mapping[str, torch.Tensor]) -> None:
        self._logits = logits
        self._taps = dict(taps)
        self.logits = logits.detach()
        self.activations = {name: tap.detach() for name, tap in taps.items()}

    def gradients(self, weights: torch.Tensor, *, retain_graph: bool = False) -> dict[str, torch.Tensor | None]:
        """Return the gradients of the score y = Σ weights · logits, by stage name, in the shape of the activations.

        Args:
            weights: ``(B, C, H, W)``. The frames of a batch do not influence each other, so each has its own score.
            retain_graph: keep the graph for the gradients of another score.

        Returns:
            None for a stage on which the score does not depend.
        """
        if not self._logits.requires_grad:
            return dict.fromkeys(self._taps)
        taps = list(self._taps.values())
        gradients = torch.autograd.grad(self._logits, taps, weights, retain_graph=retain_graph, allow_unused=True)
        return dict(zip(self._taps, gradients, strict=True))


def forward(module: nn.Module, x: torch.Tensor, stages: Sequence[Stage], *, graph: bool = True) -> ForwardPass:
    """Run a frozen, eval-mode module once, ready for gradients with respect to the stages.

    The graph begins at the first selected stage: everything before it runs without a graph. If a layer runs several
    times, its last run counts.

    Args:
        module: its parameters must not require gradients; afterwards it is as it was.
        x: the input ``(B, C, H, W)``.
        stages: the stages to tap; without any, there is no graph at all.
        graph: whether gradients will be needed.

    Raises:
        SegcamError: if the module gives no logits as large as its input.
    """
    if not stages:
        # Not inference_mode: tensors that a module caches in it do not work in a later pass with a graph.
        with torch.no_grad():
            return ForwardPass(_logits(module, x), {})
    with torch.set_grad_enabled(graph), _taps(module, stages, (x.shape[-2], x.shape[-1])) as taps:
        logits = _logits(module, x)
    return ForwardPass(logits, {stage.name: taps[stage.name] for stage in stages if stage.name in taps})


def _logits(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    logits = logits_of(module(x))
    if logits.shape[-2:] not in (x.shape[-2:], (1, 1)):  # one pixel: the scores of a classification network
        raise SegcamError(
            f"This network's output has {tuple(logits.shape[-2:])} pixels for an input of {tuple(x.shape[-2:])}: "
            "only networks whose mask is as large as their input are supported."
        )
    # Half precision is for the network only.
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


@contextmanager
def _taps(module: nn.Module, stages: Sequence[Stage], size: tuple[int, int]) -> Iterator[dict[str, torch.Tensor]]:
    """Collect the stages' maps by name while the module runs on an input of this size; then remove all hooks."""
    taps: dict[str, torch.Tensor] = {}

    def tap(stage: Stage, output: torch.Tensor) -> torch.Tensor:
        # If no selected stage comes before this one, the graph begins here.
        begins = torch.is_grad_enabled() and not output.requires_grad
        feature_map = stage.layout.map_of(output, size, stage.stride)
        taps[stage.name] = feature_map.detach().requires_grad_() if begins else feature_map
        tapped_output = stage.layout.restored(taps[stage.name], output)
        # An in-place layer that follows must change a copy, or it would change the explained values.
        return tapped_output.clone() if stage.overwritten else tapped_output

    def hook_of(stage: Stage) -> Callable[[nn.Module, Any, Any], Any]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> Any:
            if stage.output is None:
                return tap(stage, output)
            outputs = list(output)
            outputs[stage.output] = tap(stage, output[stage.output])
            return type(output)(outputs)

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
            # First of all hooks: those of transformers record outputs, from which their decoders go on.
            handles.append(layer.register_forward_hook(hook_of(stage), prepend=True))
        # The outputs of one layer may depend on each other: its graph must begin before it.
        for name in {stage.layer for stage in stages if stage.output is not None}:
            handles.append(module.get_submodule(name).register_forward_pre_hook(begin_graph))
        yield taps
    finally:
        for handle in handles:
            handle.remove()
