"""Interception: for a while, every layer of a network runs through a function of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import nn

Handler = Callable[..., Any]


@contextmanager
def intercept(module: nn.Module, handler: Handler) -> Iterator[None]:
    """Run a module and all its layers as ``handler(layer, forward, *args, **kwargs)``; afterwards it is as it was.

    Calls come in the order in which they begin, the module's own first. A hook could see a layer's output, but not skip
    its work.
    """
    layers = list(module.modules())
    replaced = [layer.__dict__.get("forward") for layer in layers]  # set on a layer itself by other code
    try:
        for layer in layers:
            layer.forward = partial(handler, layer, layer.forward)
        yield
    finally:
        for layer, forward in zip(layers, replaced, strict=True):
            if forward is not None:
                layer.forward = forward
            else:
                layer.__dict__.pop("forward", None)
