"""The runner: runs a network on a batch, within the device's memory and in the chosen precision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

import torch

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.explanation.external import ExternalMethod
from napari_segcam.explanation.methods import GradientMethod
from napari_segcam.explanation.passes.forward_pass import ForwardPass, forward
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

Result = TypeVar("Result")


class Runner:
    """Runs a network for one method and one choice of stages.

    The caller holds the network's lock.

    Attributes:
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
        self.autocast = autocast
        self._network, self._method, self._control = network, method, control

    def on_device(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return inputs ``(1, C, H, W)`` as one batch on the network's device."""
        return to_device(torch.cat(list(inputs)), self.memory_fallback.device, self._network.dtype)

    def forward(self, x: torch.Tensor) -> ForwardPass:
        """Run the forward pass of a batch ``(B, C, H, W)``, ready for ``maps``."""
        graph = self._method.needs_gradient
        return self._run(x, lambda: forward(self.memory_fallback.module, x, self._tapped, graph=graph))

    def maps(
        self, x: torch.Tensor, forward_pass: ForwardPass, objectives: Sequence[Objective], *, retain_graph: bool
    ) -> dict[str, StageMap]:
        """Return the stages' maps for one objective a frame; ``retain_graph`` if another target of the pass follows."""
        if not self.stages:
            return {}
        if isinstance(self._method, GradientMethod):
            method = self._method
            return self._run(
                x,
                lambda: gradient_maps(method, forward_pass, self.stages, objectives, retain_graph=retain_graph),
                backward=True,
            )
        assert isinstance(self._method, SlowMethod)
        slow_method, module, control = self._method, self.memory_fallback.module, self._control
        one_by_one = self._network.one_frame_at_a_time
        return self._run(x, lambda: slow_maps(slow_method, module, x, self.stages, objectives, control, one_by_one))

    def cost(self, x: torch.Tensor, forward_pass: ForwardPass) -> Cost:
        """Estimate what the maps of a slow method cost for one frame ``(1, C, H, W)``."""
        assert isinstance(self._method, SlowMethod)
        method, module, control = self._method, self.memory_fallback.module, self._control
        logits, one_by_one = forward_pass.logits, self._network.one_frame_at_a_time
        return self._run(x, lambda: slow_cost(method, module, x, self.stages, logits, control, one_by_one))

    def _run(self, x: torch.Tensor, work: Callable[[], Result], *, backward: bool = False) -> Result:
        """Do work that runs the network, and report its errors in the user's words."""
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
        except Exception as error:  # the network can be anybody's code
            working_size = "×".join(map(str, self._network.trace.size))
            raise SegcamError(
                f"The network does not run on an input of {size} ({error_text(error)}). "
                f"It does at {working_size}: set that image size."
            ) from error

    def _precision(self, backward: bool) -> AbstractContextManager[object]:
        # A backward pass runs in the precision of its forward pass.
        return autocast_on(self.memory_fallback.device, self.autocast and not backward)
