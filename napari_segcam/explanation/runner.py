"""The runner: a network's work on a batch, within the device's memory, in the chosen precision, its faults in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

import torch

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.explanation.methods import GradientMethod
from napari_segcam.explanation.passes.forward_pass import Forward, forward
from napari_segcam.explanation.passes.memory import MemoryFallback, TooLittleMemory
from napari_segcam.explanation.passes.precision import autocast_on, refuse_autocast_without_gain
from napari_segcam.explanation.passes.transfer import to_device
from napari_segcam.explanation.registry import Method, SlowMethod
from napari_segcam.explanation.slow_methods.control import Cancelled, ProgressControl
from napari_segcam.explanation.slow_methods.cost import Cost
from napari_segcam.explanation.stage_maps import StageMap, gradient_maps, slow_cost, slow_maps
from napari_segcam.explanation.targets.objective import Objective
from napari_segcam.network.network import Network
from napari_segcam.network.stages.stage import Stage

Given = TypeVar("Given")


class Runner:
    """Runs a network for one method and one choice of stages.

    While it runs the network's lock is held, by who calls.

    Attributes:
        stages: as they are found in what runs.
        thrift: what runs, where, and what was done for want of memory.
        autocast: whether products are in bfloat16.

    Raises:
        SegcamError: if autocast is wanted where it does not pay.
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
        # A method with a stage of its own taps none of the network's.
        self._tapped: tuple[Stage, ...]
        module, self._tapped = network.running([] if method.stage else stages)
        self.stages = tuple(stages) if method.stage else self._tapped
        sample = torch.zeros(1, network.card.input_channels, *network.seen.size, dtype=network.dtype)
        self.memory_fallback = MemoryFallback(
            module, self._tapped, network.device, sample, rewritten=module is not network.module
        )
        self.autocast = autocast
        self._network, self._method, self._control = network, method, control

    def on_device(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        """Inputs ``(1, C, H, W)`` as one batch where the network runs."""
        return to_device(torch.cat(list(inputs)), self.memory_fallback.device, self._network.dtype)

    def forward(self, x: torch.Tensor) -> Forward:
        """The forward pass of a batch ``(B, C, H, W)``, ready for ``maps``."""
        graph = self._method.needs_gradient
        return self._guarded(x, lambda: forward(self.memory_fallback.module, x, self._tapped, graph=graph))

    def maps(
        self, x: torch.Tensor, run: Forward, objectives: Sequence[Objective], *, keep: bool
    ) -> dict[str, StageMap]:
        """The stages' maps, for one objective a frame; ``keep`` where another target of the pass follows."""
        if not self.stages:
            return {}
        if isinstance(self._method, GradientMethod):
            method = self._method
            return self._guarded(
                x, lambda: gradient_maps(method, run, self.stages, objectives, keep=keep), backward=True
            )
        assert isinstance(self._method, SlowMethod)
        slow, module, control, alone = self._method, self.memory_fallback.module, self._control, self._network.alone
        return self._guarded(x, lambda: slow_maps(slow, module, x, self.stages, objectives, control, alone))

    def cost(self, x: torch.Tensor, run: Forward) -> Cost:
        """What the maps of a slow method would cost for one frame ``(1, C, H, W)``."""
        assert isinstance(self._method, SlowMethod)
        slow, module, control, alone = self._method, self.memory_fallback.module, self._control, self._network.alone
        return self._guarded(x, lambda: slow_cost(slow, module, x, self.stages, run.logits, control, alone))

    def _guarded(self, x: torch.Tensor, work: Callable[[], Given], *, backward: bool = False) -> Given:
        """Do the network's work; what stops it is told in the user's words."""
        size = f"{x.shape[-2]}×{x.shape[-1]} pixels"
        try:
            with self._precision(backward):
                return work()
        except torch.OutOfMemoryError as error:
            raise TooLittleMemory(
                f"{self.memory_fallback.device} has too little memory for {len(x)} frames of {size} with "
                f"{len(self.stages)} stages. Choose fewer stages, a smaller image size, or the CPU."
            ) from error
        except (SegcamError, Cancelled):
            raise
        except Exception as error:  # it is anybody's code
            seen = "×".join(map(str, self._network.seen.size))
            raise SegcamError(
                f"The network does not run on an input of {size} ({error_text(error)}). "
                f"It does at {seen}: set that image size."
            ) from error

    def _precision(self, backward: bool) -> AbstractContextManager[object]:
        # A backward pass takes the precision that its forward pass left it.
        return autocast_on(self.memory_fallback.device, self.autocast and not backward)
