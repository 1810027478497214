"""Contest: one network and one input as each contestant needs them, and the passes of the contestants."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from measuring import reference_network, speckle
from one_pass import run
from torch import nn

from napari_segcam.explanation.methods import METHODS
from napari_segcam.explanation.passes.recomputation import recomputable_blocks
from napari_segcam.network.inference import inference_form
from napari_segcam.network.stages.forward_trace import trace_forward
from napari_segcam.network.stages.stage import Stage, find_stages, main_stages
from napari_segcam.tuning.allocator import keep_freed_memory

Region = Callable[[torch.Tensor], torch.Tensor]
Maps = dict[str, torch.Tensor]


@dataclass
class Contest:
    """One network and one square input, as each contestant needs them."""

    encoder: str
    side: int
    device: str = "cpu"

    @cached_property
    def plain(self) -> nn.Module:
        return reference_network(self.encoder).requires_grad_(False).to(self.device)

    @cached_property
    def trainable(self) -> nn.Module:
        """The network for the other libraries, which need trainable weights."""
        return copy.deepcopy(self.plain).requires_grad_(True)

    @cached_property
    def own(self) -> nn.Module:
        keep_freed_memory()  # as the explainer does
        on_cpu = copy.deepcopy(self.plain).cpu()  # a network is rewritten before it moves to its device
        return inference_form(on_cpu).module.to(self.device)

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        return main_stages(find_stages(self.plain, trace_forward(self.plain, 3)))

    @cached_property
    def deepest(self) -> tuple[Stage, ...]:
        return tuple(stage for stage in self.stages if stage.name == "encoder_5")

    @cached_property
    def recomputable(self) -> list[nn.Module]:
        return recomputable_blocks(self.own, self.stages, torch.zeros(1, 3, 64, 64, device=self.device))

    @cached_property
    def x(self) -> torch.Tensor:
        return self.input_of(seed=0)

    @cached_property
    def channels_last(self) -> torch.Tensor:
        return self.x.contiguous(memory_format=torch.channels_last)

    def input_of(self, seed: int) -> torch.Tensor:
        frame = torch.from_numpy(speckle(self.side, seed=seed)).float() / 255
        return ((frame - 0.45) / 0.225).expand(1, 3, -1, -1).contiguous().to(self.device)

    def region(self, logits: torch.Tensor) -> torch.Tensor:
        region = torch.zeros_like(logits)
        side = self.side
        region[..., side * 3 // 8 : side * 5 // 8, side // 4 : side // 2] = 1
        return region

    def forward(self) -> None:
        with torch.no_grad():
            self.plain(self.x)

    def own_forward(self) -> None:
        with torch.no_grad():
            self.own(self.channels_last)

    def maps(self, stages: Sequence[Stage], region: Region | None = None) -> Maps:
        """Return one Grad-CAM per stage from the inference form."""
        return cams(self.own, self.channels_last, stages, region or self.region)

    def grad_cam(self, stages: Sequence[Stage]) -> None:
        from pytorch_grad_cam import GradCAM

        weights = self.region(torch.zeros(1, self.side, self.side, device=self.device))
        for stage in stages:
            with GradCAM(self.trainable, [self.trainable.get_submodule(stage.layer)]) as cam:
                cam(self.x, [lambda output: (output * weights).sum()])

    def torch_cam(self, stages: Sequence[Stage]) -> None:
        from torchcam.methods import GradCAM

        weights = self.region(torch.zeros(1, self.side, self.side, device=self.device))
        with GradCAM(self.trainable, [stage.layer for stage in stages]) as cam:
            cam(scores=self.trainable(self.x), targets=lambda output: (output * weights).sum())


def cams(module: nn.Module, x: torch.Tensor, stages: Sequence[Stage], region: Region) -> Maps:
    result, compute = run(module, x, stages, region), METHODS["gradcam"].compute
    return {
        name: compute(result.activations[name], gradient).relu()
        for name, gradient in result.gradients.items()
        if gradient is not None
    }


def correlation(first: torch.Tensor, second: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1])
