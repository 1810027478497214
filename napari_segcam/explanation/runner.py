"""The runner: runs a network on a batch, within the device's memory and in the chosen precision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.explanation.external import ExternalMethod
from napari_segcam.explanation.methods import GradientMethod
from napari_segcam.explanation.passes.forward_pass import ForwardPass, forward
from napari_segcam.explanation.passes.memory import MemoryFallback, too_little_memory
from napari_segcam.explanation.passes.precision import (
    autocast_on,
    refuse_autocast_without_gain,
    refuse_changed_masks,
)
from napari_segcam.explanation.passes.transfer import to_device
from napari_segcam.explanation.registry import Method, SlowMethod
from napari_segcam.explanation.slow_methods.control import Cancelled, ProgressControl
from napari_segcam.explanation.slow_methods.cost import Cost
from napari_segcam.explanation.stage_maps import StageMap, gradient_maps, slow_cost, slow_maps
from napari_segcam.explanation.targets.objective import Objective
from napari_segcam.explanation.tiles.cost import TiledCost, estimate_tiles
from napari_segcam.explanation.tiles.layout import TileLayout
from napari_segcam.explanation.tiles.tiled_maps import refuse_in_tiles, tiled_maps
from napari_segcam.explanation.tiles.tiled_module import TiledModule
from napari_segcam.explanation.tiles.tiled_pass import TiledPass
from napari_segcam.network.network import Network
from napari_segcam.network.stages.stage import Stage

Result = TypeVar("Result")


class Runner:
    """Runs a network for one method and one choice of stages.

    The caller holds the network's lock.

    Attributes:
        method: that explains.
        stages: as they are in the module that runs.
        memory_fallback: the module that runs, its device, and what was changed because memory was short.
        autocast: whether the network multiplies in bfloat16.

    Raises:
        SegcamError: if autocast is asked for where it gains nothing.
    """

    def __init__(
        self,
        network: Network,
        method: Method,
        stages: Sequence[Stage],
        control: ProgressControl,
        *,
        autocast: bool,
    ) -> None:
        if autocast:
            refuse_autocast_without_gain(network.device)
        # A method with a fixed stage taps none of the network's stages. Other packages explain the network as it was
        # loaded, not its rewritten form.
        self._tapped: tuple[Stage, ...]
        module, self._tapped = (
            (network.module, tuple(stages))
            if isinstance(method, ExternalMethod)
            else network.module_for([] if method.stage else stages)
        )
        self.stages = tuple(stages) if method.stage else self._tapped
        sample = torch.zeros(1, network.card.input_channels, *network.trace.size, dtype=network.dtype)
        self.memory_fallback = MemoryFallback(
            module, self._tapped, network.device, sample, rewritten=module is not network.module
        )
        self.autocast, self._autocast_is_checked = autocast, False
        self._network, self.method, self._control = network, method, control

    def on_device(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return inputs ``(1, C, H, W)`` as one batch on the network's device."""
        return to_device(torch.cat(list(inputs)), self.memory_fallback.device, self._network.dtype)

    def forward(self, x: torch.Tensor, tiles: TileLayout | None = None) -> ForwardPass | TiledPass:
        """Run the forward pass of a batch ``(B, C, H, W)``, ready for ``maps``; in tiles where they are given.

        Raises:
            SegcamError: if the network does not run, or the method does not work in tiles.
            Cancelled: if the user cancels it between two tiles.
        """
        if tiles is not None:
            if self.stages:
                refuse_in_tiles(self.method, tiles)
            stages = self._tapped if isinstance(self.method, GradientMethod) else ()
            return self._run(
                x,
                lambda: TiledPass(self._forward_tile, x, tiles, stages, self._step),
                backward=True,
                shape=tiles.tile_shape,
            )
        graph = self.method.needs_gradient
        return self._run(x, lambda: forward(self.memory_fallback.module, x, self._tapped, graph=graph))

    def check_autocast(
        self,
        x: torch.Tensor,
        tiles: TileLayout | None,
        logits: torch.Tensor,
        labels_of: Callable[[torch.Tensor], NDArray[np.uint8]],
    ) -> None:
        """Compare the masks with those in full precision, until one with a finding was compared; without autocast, not.

        Args:
            x: the input ``(B, C, H, W)``.
            tiles: in which it ran.
            logits: with autocast ``(B, C, H, W)``.
            labels_of: turns logits into labels ``(B, H, W)``.

        Raises:
            SegcamError: if they differ by more than rounding may change.
        """
        if not self.autocast or self._autocast_is_checked:
            return
        self.autocast = False
        try:
            if tiles is None:
                exact = self._run(x, lambda: forward(self.memory_fallback.module, x, (), graph=False).logits)
            else:
                exact = self._run(x, lambda: TiledPass(self._forward_tile, x, tiles, (), self._step).logits)
        finally:
            self.autocast = True
        self._autocast_is_checked = refuse_changed_masks(labels_of(exact), labels_of(logits))

    def maps(
        self,
        x: torch.Tensor,
        forward_pass: ForwardPass | TiledPass,
        objectives: Sequence[Objective],
        *,
        retain_graph: bool,
    ) -> dict[str, StageMap]:
        """Return the stages' maps for one objective a frame; ``retain_graph`` if another target of the pass follows."""
        if not self.stages:
            return {}
        if isinstance(self.method, GradientMethod):
            method = self.method
            if isinstance(forward_pass, TiledPass):
                shape = forward_pass.layout.tile_shape
                return self._run(
                    x, lambda: tiled_maps(method, forward_pass, self.stages, objectives), backward=True, shape=shape
                )
            return self._run(
                x,
                lambda: gradient_maps(method, forward_pass, self.stages, objectives, retain_graph=retain_graph),
                backward=True,
            )
        assert isinstance(self.method, SlowMethod)
        slow_method, control = self.method, self._control
        module = self._whole_module(x, forward_pass, objectives[0].region)
        one_by_one = self._network.one_frame_at_a_time
        return self._run(x, lambda: slow_maps(slow_method, module, x, self.stages, objectives, control, one_by_one))

    def cost(self, x: torch.Tensor, forward_pass: ForwardPass | TiledPass) -> Cost:
        """Estimate what the maps of a slow method cost for one frame ``(1, C, H, W)``."""
        assert isinstance(self.method, SlowMethod)
        method, control = self.method, self._control
        logits, one_by_one = forward_pass.logits, self._network.one_frame_at_a_time
        module = self._whole_module(x, forward_pass, None)
        return self._run(x, lambda: slow_cost(method, module, x, self.stages, logits, control, one_by_one))

    def tiled_cost(self, image: torch.Tensor, tiles: TileLayout) -> TiledCost:
        """Estimate what one target of an image ``(1, C, H, W)`` costs in tiles, from one of them."""
        stages = self._tapped if isinstance(self.method, GradientMethod) else ()
        graph, x = self.method.needs_gradient, self.on_device([image])
        return self._run(
            x,
            lambda: estimate_tiles(self._forward_tile, x, tiles, stages, graph=graph),
            backward=True,
            shape=tiles.tile_shape,
        )

    def _run(
        self,
        x: torch.Tensor,
        work: Callable[[], Result],
        *,
        backward: bool = False,
        shape: tuple[int, int] | None = None,
    ) -> Result:
        """Do work that runs the network on inputs of a shape, and report its errors in the user's words."""
        rows, columns = shape or x.shape[-2:]
        size = f"{rows}×{columns} pixels"
        try:
            with self._precision(backward):
                return work()
        except torch.OutOfMemoryError as error:
            what = f"{len(x)} frames of {size} with {len(self.stages)} stages"
            raise too_little_memory(self.memory_fallback.device, what) from error
        except (SegcamError, Cancelled):
            raise
        except Exception as error:  # the network can be anybody's code
            working_size = "×".join(map(str, self._network.trace.size))
            raise SegcamError(
                f"The network does not run on an input of {size} ({error_text(error)}). "
                f"It does at {working_size}: set that image size.",
                action="edit_card",
            ) from error

    def _forward_tile(self, x: torch.Tensor, stages: Sequence[Stage], graph: bool) -> ForwardPass:
        with self._precision(backward=False):
            return forward(self.memory_fallback.module, x, stages, graph=graph)

    def _whole_module(
        self, x: torch.Tensor, forward_pass: ForwardPass | TiledPass, region: torch.Tensor | None
    ) -> torch.nn.Module:
        """Return the module that takes the whole image, of which there is only one where it runs in tiles."""
        module = self.memory_fallback.module
        if not isinstance(forward_pass, TiledPass):
            return module
        return TiledModule(module, x, forward_pass.layout, region, self._check_cancelled)

    def _step(self, purpose: str, done: int, total: int) -> None:
        self._check_cancelled()
        if self._control.progress is not None:
            self._control.progress(purpose, done, total)

    def _check_cancelled(self) -> None:
        if self._control.cancelled is not None and self._control.cancelled():
            raise Cancelled

    def _precision(self, backward: bool) -> AbstractContextManager[object]:
        # A backward pass runs in the precision of its forward pass.
        return autocast_on(self.memory_fallback.device, self.autocast and not backward)
