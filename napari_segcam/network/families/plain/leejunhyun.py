"""U-Net, R2U-Net, Attention U-Net and R2 Attention U-Net with ``Conv1 …`` or ``RRCNN1 …`` and ``Up5 …``.

Source: https://github.com/LeeJunHyun/Image_Segmentation.
"""

from __future__ import annotations

import torch
from torch import nn

from napari_segcam.network.families.plain.double_convolution import NamedDoubleConvolution
from napari_segcam.network.families.plain.family import PlainFamily
from napari_segcam.network.families.plain.layer_shapes import LayerShapes, sequence

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
    def __init__(self, layers: LayerShapes, steps: int) -> None:
        super().__init__()
        self._steps = steps
        inner = layers.at("conv")
        self.conv = sequence(inner.conv("0"), inner.norm("1"), nn.ReLU(inplace=True))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state: torch.Tensor = self.conv(x)
        for _ in range(self._steps):
            state = self.conv(x + state)
        return state


class RecurrentResidual(nn.Module):
    """Two recurrent convolutions after a 1×1 convolution, which is added to their result."""

    def __init__(self, layers: LayerShapes, steps: int) -> None:
        super().__init__()
        inner = layers.at("RCNN")
        self.RCNN = sequence(_Recurrent(inner.at("0"), steps), _Recurrent(inner.at("1"), steps))
        self.Conv_1x1 = layers.conv("Conv_1x1", 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the features ``(B, C, H, W)``."""
        x = self.Conv_1x1(x)
        features: torch.Tensor = x + self.RCNN(x)
        return features


class LeeJunHyunUNet(nn.Module):
    """U-Net whose blocks are double or recurrent convolutions, with attention gates if the weights have them."""

    def __init__(self, layers: LayerShapes, t: int | None = None) -> None:
        """Make the network.

        Args:
            layers: shapes of the weights.
            t: how often each recurrent convolution runs after its first run.
        """
        super().__init__()
        if t is not None and not (isinstance(t, int) and 1 <= t <= _MOST_STEPS):
            raise ValueError(f"t is a whole number from 1 to {_MOST_STEPS}, not {t!r}")
        self._down, self._up = ("RRCNN", "Up_RRCNN") if t else ("Conv", "Up_conv")
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
            self.add_module(name, RecurrentResidual(inner, t) if t else NamedDoubleConvolution(inner, "conv"))
        self.Conv_1x1 = layers.conv("Conv_1x1", 1)

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
        logits: torch.Tensor = self.Conv_1x1(x)
        return logits


def _family(name: str, marks: tuple[str, ...], **options: int) -> PlainFamily:
    card = {"normalization": "custom", "mean": (0.5,), "std": (0.5,)}
    marks = (*marks, "Up2.up.1.weight", "Conv_1x1.weight")
    return PlainFamily(f"{name} (LeeJunHyun/Image_Segmentation)", marks, LeeJunHyunUNet, options, card)


FAMILIES = (
    _family("AttU_Net", ("Conv1.conv.0.weight", "Att2.W_g.0.weight")),
    _family("U_Net", ("Conv1.conv.0.weight",)),
    _family("R2AttU_Net", ("RRCNN1.Conv_1x1.weight", "Att2.W_g.0.weight"), t=2),
    _family("R2U_Net", ("RRCNN1.Conv_1x1.weight",), t=2),
)
