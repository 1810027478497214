"""Standing between a network and its layers for a while: every layer's forward goes through a function of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import nn

Handler = Callable[..., Any]


@contextmanager
def intercepted(module: nn.Module, handler: Handler) -> Iterator[None]:
    """Inside, a module and all its layers run as ``handler(layer, forward, *args, **kwargs)`` instead.

    Calls come in the order in which they begin, the module's own first. A hook could look at a layer but not spare it
    its work. Afterwards the module is as it was, whatever happened.
    """
    layers = list(module.modules())
    own = [layer.__dict__.get("forward") for layer in layers]  # where someone else has put a forward of the same kind
    try:
        for layer in layers:
            layer.forward = partial(handler, layer, layer.forward)
        yield
    finally:
        for layer, forward in zip(layers, own, strict=True):
            if forward is not None:
                layer.forward = forward
            else:
                layer.__dict__.pop("forward", None)
