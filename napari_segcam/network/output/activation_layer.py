"""Leaving out the layer that is a network's final activation, where it is a layer of its own."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from napari_segcam.network.keras.graph import KerasLayer
from napari_segcam.network.output.activation_inverse import ActivationTracker
from napari_segcam.network.output.candidates import OutputLocation

# A network may have many gates; its final activation is among the last layers that ran.
_MOST_TRIED = 4


class PassThrough(nn.Identity):
    """In the place of a layer that was left out: it gives what it takes."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return args[0] if args else next(iter(kwargs.values()))


@torch.no_grad()
def remove_activation(module: nn.Module, tried: nn.Module, place: OutputLocation, x: torch.Tensor) -> bool:
    """Put a layer that hands its input on in the place of the final activation; whether that is a layer of its own.

    Args:
        module: is changed.
        tried: a copy of it, to try it on.
        place: where the output is in what it returns.
        x: an input ``(1, C, H, W)``.
    """
    watch = ActivationTracker()
    ran: list[nn.Module] = []

    def note(layer: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any], output: Any) -> None:
        before = watch.before(output) if isinstance(output, torch.Tensor) else None
        is_all = before is not None and any(one is before[1] for one in (*inputs, *named.values()))
        if is_all or (before is not None and isinstance(layer, KerasLayer)):
            ran.append(layer)

    handles = [
        layer.register_forward_hook(note, with_kwargs=True)
        for layer in tried.modules()
        if layer is not tried and not isinstance(layer, torch.jit.ScriptModule) and not list(layer.children())
    ]
    try:
        with watch:
            output = tried(x.detach().clone())
        found = watch.before(place.tensor(output))
    finally:
        for handle in handles:
            handle.remove()
    wanted = None if found is None else place.map_of(found[1], x)
    ran_once = [layer for layer in ran if ran.count(layer) == 1]
    for layer in reversed(ran_once[-_MOST_TRIED:]):
        names = [name for name, one in tried.named_modules(remove_duplicate=False) if one is layer]
        if isinstance(layer, KerasLayer):  # its copies share what it does
            put_back = layer.without_activation()
            if wanted is not None and _gives(tried, place, x, wanted):
                return True
            put_back()
            continue
        _put(tried, names, PassThrough())
        if wanted is not None and _gives(tried, place, x, wanted):
            _put(module, names, PassThrough())
            return True
        _put(tried, names, layer)
    return False


def _put(module: nn.Module, names: list[str], layer: nn.Module) -> None:
    for name in names:
        holder, _, own = name.rpartition(".")
        setattr(module.get_submodule(holder), own, layer)


def _gives(module: nn.Module, place: OutputLocation, x: torch.Tensor, wanted: torch.Tensor) -> bool:
    try:
        given = place.map_of(place.tensor(module(x.detach().clone())), x)
    except Exception:  # it wanted another layer there: that is put back
        return False
    return torch.equal(given, wanted)
