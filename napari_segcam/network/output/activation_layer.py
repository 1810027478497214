"""Remove the layer that is a network's final activation, if it is a layer of its own."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from napari_segcam.network.keras.graph import KerasLayer
from napari_segcam.network.output.activation_inverse import ActivationTracker
from napari_segcam.network.output.candidates import OutputLocation

# A network may have many gates. Its final activation is among the last layers that run.
_MOST_TRIED = 4


class PassThrough(nn.Identity):
    """Replaces a removed layer: returns its input."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return args[0] if args else next(iter(kwargs.values()))


@torch.no_grad()
def remove_activation(module: nn.Module, trial: nn.Module, location: OutputLocation, x: torch.Tensor) -> bool:
    """Replace the final activation with a layer that does nothing; return whether it was a layer of its own.

    Args:
        module: is changed.
        trial: a copy of the module, to try the change on.
        location: of the output in what the module returns.
        x: an input ``(1, C, H, W)``.
    """
    tracker = ActivationTracker()
    activation_layers: list[nn.Module] = []

    def record(layer: nn.Module, inputs: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        before = tracker.before(output) if isinstance(output, torch.Tensor) else None
        is_whole_layer = before is not None and any(value is before[1] for value in (*inputs, *kwargs.values()))
        if is_whole_layer or (before is not None and isinstance(layer, KerasLayer)):
            activation_layers.append(layer)

    handles = [
        layer.register_forward_hook(record, with_kwargs=True)
        for layer in trial.modules()
        if layer is not trial and not isinstance(layer, torch.jit.ScriptModule) and not list(layer.children())
    ]
    try:
        with tracker:
            output = trial(x.detach().clone())
        recorded = tracker.before(location.tensor(output))
    finally:
        for handle in handles:
            handle.remove()
    logits = None if recorded is None else location.map_of(recorded[1], x)
    used_once = [layer for layer in activation_layers if activation_layers.count(layer) == 1]
    for layer in reversed(used_once[-_MOST_TRIED:]):
        names = [name for name, value in trial.named_modules(remove_duplicate=False) if value is layer]
        if isinstance(layer, KerasLayer):  # its copies share the activation
            put_back = layer.without_activation()
            if logits is not None and _returns(trial, location, x, logits):
                return True
            put_back()
            continue
        _replace(trial, names, PassThrough())
        if logits is not None and _returns(trial, location, x, logits):
            _replace(module, names, PassThrough())
            return True
        _replace(trial, names, layer)
    return False


def _replace(module: nn.Module, names: list[str], layer: nn.Module) -> None:
    for name in names:
        parent, _, child = name.rpartition(".")
        setattr(module.get_submodule(parent), child, layer)


def _returns(module: nn.Module, location: OutputLocation, x: torch.Tensor, logits: torch.Tensor) -> bool:
    try:
        output = location.map_of(location.tensor(module(x.detach().clone())), x)
    except Exception:  # it needs the layer, which is put back
        return False
    return torch.equal(output, logits)
