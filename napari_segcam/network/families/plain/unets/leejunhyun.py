"""U-Net, R2U-Net, Attention U-Net and R2 Attention U-Net with ``Conv1 …`` or ``RRCNN1 …`` and ``Up5 …``.

Sources: https://github.com/LeeJunHyun/Image_Segmentation, and
https://github.com/bigmb/Unet-Segmentation-Pytorch-Nest-of-Unets, whose recurrent blocks run their convolution twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from napari_segcam.network.families.plain.family import PlainFamily
from napari_segcam.network.families.plain.parts.double_convolution import NamedDoubleConvolution
from napari_segcam.network.families.plain.parts.layer_shapes import LayerShapes, sequence

_MOST_STEPS = 16


class UpConvolution(nn.Module):
    """Enlarge a map to the nearest neighbor, then a convolution, batch norm and ReLU."""

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        inner = layers.at("up")
        self.up = sequence(nn.Upsample(scale_factor=2), inner.conv("1"), inner.norm("2"), nn.ReLU(inplace=True))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the features ``(B, C, 2H, 2W)``."""
        features: torch.Tensor = self.up(x)
        return features


class AttentionGate(nn.Module):
    """Multiply a skip by weights from 0 to 1, which follow from the skip and the decoder's map."""

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.W_g, self.W_x = _projection(layers.at("W_g")), _projection(layers.at("W_x"))
        self.psi = _projection(layers.at("psi")).append(nn.Sigmoid())
        self.relu = nn.ReLU(inplace=True)

    def forward(self, gate: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        """Return the skip, weighted."""
        weights: torch.Tensor = self.psi(self.relu(self.W_g(gate) + self.W_x(skip)))
        return skip * weights


def _projection(layers: LayerShapes) -> nn.Sequential:
    return sequence(layers.conv("0", 1), layers.norm("1"))


class _Recurrent(nn.Module):
    def __init__(self, layers: LayerShapes, steps: int | None) -> None:
        super().__init__()
        self._steps = steps
        inner = layers.at("conv")
        self.conv = sequence(inner.conv("0"), inner.norm("1"), nn.ReLU(inplace=True))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state: torch.Tensor = self.conv(x)
        if self._steps is None:
            doubled: torch.Tensor = self.conv(state + state)
            return doubled
        for _ in range(self._steps):
            state = self.conv(x + state)
        return state


class RecurrentResidual(nn.Module):
    """Two recurrent convolutions after a 1×1 convolution, which is added to their result."""

    def __init__(self, layers: LayerShapes, steps: int | None, first: str) -> None:
        """Make the block.

        Args:
            layers: shapes of the weights.
            steps: how often a recurrent convolution adds its input to its last result; None: it doubles its first
                result once.
            first: name of the 1×1 convolution.
        """
        super().__init__()
        inner = layers.at("RCNN")
        self.RCNN = sequence(_Recurrent(inner.at("0"), steps), _Recurrent(inner.at("1"), steps))
        self._first = first
        self.add_module(first, layers.conv(first, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the features ``(B, C, H, W)``."""
        x = getattr(self, self._first)(x)
        features: torch.Tensor = x + self.RCNN(x)
        return features


class LeeJunHyunUNet(nn.Module):
    """U-Net whose blocks are double or recurrent convolutions, with attention gates if the weights have them."""

    def __init__(self, layers: LayerShapes, t: int | None = None) -> None:
        """Make the network.

        Args:
            layers: shapes of the weights.
            t: how often each recurrent convolution runs after its first run; None: as in bigmb's repository.
        """
        super().__init__()
        if t is not None and not (isinstance(t, int) and 1 <= t <= _MOST_STEPS):
            raise ValueError(f"t is a whole number from 1 to {_MOST_STEPS}, not {t!r}")
        self._head = "Conv_1x1" if layers.has("Conv_1x1") else "Conv"
        recurs = layers.has("RRCNN1")
        self._down, self._up = ("RRCNN", "Up_RRCNN") if recurs else ("Conv", "Up_conv")
        self.Maxpool = nn.MaxPool2d(kernel_size=2, stride=2)
        self._deepest = layers.count(f"{self._down}{{}}", 1)
        names = [f"{self._down}{level}" for level in range(1, self._deepest + 1)]
        self._attends = layers.has(f"Att{self._deepest}")
        for level in range(self._deepest, 1, -1):
            self.add_module(f"Up{level}", UpConvolution(layers.at(f"Up{level}")))
            if self._attends:
                self.add_module(f"Att{level}", AttentionGate(layers.at(f"Att{level}")))
            names.append(f"{self._up}{level}")
        for name in names:
            inner = layers.at(name)
            block = RecurrentResidual(inner, t, self._head) if recurs else NamedDoubleConvolution(inner, "conv")
            self.add_module(name, block)
        self.add_module(self._head, layers.conv(self._head, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(B, C, H, W)``."""
        skips: list[torch.Tensor] = []
        for level in range(1, self._deepest + 1):
            skips.append(getattr(self, f"{self._down}{level}")(self.Maxpool(skips[-1]) if skips else x))
        x = skips.pop()
        for level in range(self._deepest, 1, -1):
            x, skip = getattr(self, f"Up{level}")(x), skips.pop()
            if self._attends:
                skip = getattr(self, f"Att{level}")(x, skip)
            x = getattr(self, f"{self._up}{level}")(torch.cat((skip, x), dim=1))
        logits: torch.Tensor = getattr(self, self._head)(x)
        return logits


def _families(repository: str, head: str, *, counts_steps: bool, **card: Any) -> Iterator[PlainFamily]:
    attention, options = "Att2.W_g.0.weight", {"t": 2} if counts_steps else {}
    for name, first, marks, arguments in (
        ("AttU_Net", "Conv1.conv.0.weight", (attention,), {}),
        ("U_Net", "Conv1.conv.0.weight", (), {}),
        ("R2AttU_Net", f"RRCNN1.{head}.weight", (attention,), options),
        ("R2U_Net", f"RRCNN1.{head}.weight", (), options),
    ):
        marks = (first, *marks, "Up2.up.1.weight", f"{head}.weight")
        yield PlainFamily(f"{name} ({repository})", marks, LeeJunHyunUNet, arguments, card)


FAMILIES = (
    *_families(
        "LeeJunHyun/Image_Segmentation",
        "Conv_1x1",
        counts_steps=True,
        normalization="custom",
        mean=(0.5,),
        std=(0.5,),
    ),
    *_families("bigmb/Unet-Segmentation-Pytorch-Nest-of-Unets", "Conv", counts_steps=False, normalization="unit"),
)
