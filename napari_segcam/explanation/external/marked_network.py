"""Marked network: a network whose stage is the output of a layer of its own, where other packages can hook it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from napari_segcam.explanation.slow_methods.control import Cancelled
from napari_segcam.explanation.slow_methods.feature_maps import feature_map, never_runs
from napari_segcam.network.stages.forward_trace import logits_of
from napari_segcam.network.stages.stage import Stage


class MarkedNetwork(nn.Module):
    """A network that passes the map of one stage through a layer ``mark``, which returns it as it is.

    Packages hook a layer and take its output for a map ``(B, K, h, w)``. A stage may be one of several outputs, hold
    tokens, be overwritten by the next layer, or run several times: the mark sees the map alone, once a run. A package
    may also replace the mark by another layer, and the network itself stays as it is.

    Attributes:
        mark: the layer to hook.
        shape: ``(K, h, w)`` of the map.
        channels: K.
        logits: of the frame ``(1, C, H, W)``.
        has_gradient: whether a gradient has reached the mark.

    Args:
        network: frozen and in eval mode. Nothing else may run it meanwhile.
        x: the input ``(1, C, H, W)``.
        stage: of the network.
        one_by_one: whether a pass may have only one image.
        on_run: called after each pass with the number of its images.
        cancelled: called before each pass; True stops it.

    Raises:
        SegcamError: if the stage never runs or gives no feature map.
    """

    def __init__(
        self,
        network: nn.Module,
        x: torch.Tensor,
        stage: Stage,
        *,
        one_by_one: bool = False,
        on_run: Callable[[int], None] = lambda _images: None,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.mark: nn.Module = nn.Identity()
        self.has_gradient = False
        self._stage, self._one_by_one = stage, one_by_one
        self._on_run, self._cancelled = on_run, cancelled
        self._calls = 0
        outputs: list[Any] = []
        handle = network.get_submodule(stage.layer).register_forward_hook(
            lambda _layer, _inputs, output: outputs.append(output if stage.output is None else output[stage.output])
        )
        try:
            with torch.no_grad():
                self.logits = logits_of(network(x.clone())).clone()
        finally:
            handle.remove()
        if not outputs:
            raise never_runs(stage)
        self._last_call = len(outputs)
        self.shape = tuple(feature_map(stage, outputs[-1], x).shape)
        self.eval()

    @property
    def channels(self) -> int:
        return self.shape[0]

    @contextmanager
    def marked(self) -> Iterator[None]:
        """While this is open, the stage's map passes through the mark."""
        layer = self.network.get_submodule(self._stage.layer)
        handle = layer.register_forward_hook(self._pass_mark, prepend=True)  # see explanation/passes/forward_pass.py
        try:
            yield
        finally:
            handle.remove()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits ``(B, C, H, W)`` of inputs ``(B, C, H, W)``.

        Raises:
            Cancelled: if ``cancelled`` returns True.
        """
        parts = x.split(1) if self._one_by_one else (x,)
        logits = torch.cat([self._run(part) for part in parts])
        return logits.to(torch.promote_types(logits.dtype, torch.float32))

    def _run(self, x: torch.Tensor) -> torch.Tensor:
        if self._cancelled is not None and self._cancelled():
            raise Cancelled
        self._calls = 0
        self._size = (x.shape[-2], x.shape[-1])
        logits = logits_of(self.network(x.clone()))  # a copy: the first layer may work in place
        self._on_run(len(x))
        return logits

    def _pass_mark(self, _layer: nn.Module, _inputs: Any, output: Any) -> Any:
        self._calls += 1
        if self._calls != self._last_call:
            return output
        number = self._stage.output
        if number is None:
            return self._marked(output)
        outputs = list(output)
        outputs[number] = self._marked(output[number])
        return type(output)(outputs)

    def _marked(self, output: torch.Tensor) -> torch.Tensor:
        layout = self._stage.layout
        values = self.mark(layout.map_of(output, self._size, self._stage.stride))
        if values.requires_grad:
            values.register_hook(self._note_gradient)
        restored = layout.restored(values, output)
        # A package keeps the mark's output: a layer that works in place must change a copy.
        return restored.clone()

    def _note_gradient(self, _gradient: torch.Tensor) -> None:
        self.has_gradient = True
