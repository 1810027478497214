"""U-Net with ``dconv_down1 …`` and U-Net with a ResNet encoder, ``layer0 …`` and ``conv_up3 …``.

Source: https://github.com/usuyama/pytorch-unet.
"""

from __future__ import annotations

import torch
from torch import nn

from napari_segcam.network.families.plain.family import PlainFamily
from napari_segcam.network.families.plain.parts.double_convolution import double_convolution
from napari_segcam.network.families.plain.parts.layer_shapes import LayerShapes, sequence
from napari_segcam.network.families.plain.parts.resnet import first_layer, first_pool, residual_stage


def _upsample() -> nn.Upsample:
    return nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)


class UsuyamaUNet(nn.Module):
    """U-Net without batch norms, in which the decoder's map comes before the skip when both are concatenated."""

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self._deepest = layers.count("dconv_down{}", 1)
        norm = layers.has("dconv_down1.3.weight")
        names = [f"dconv_down{level}" for level in range(1, self._deepest + 1)]
        names += [f"dconv_up{level}" for level in range(self._deepest - 1, 0, -1)]
        for name in names:
            self.add_module(name, double_convolution(layers.at(name), norm=norm))
        self.maxpool, self.upsample = nn.MaxPool2d(2), _upsample()
        self.conv_last = layers.conv("conv_last", 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(B, C, H, W)``."""
        skips = []
        for level in range(1, self._deepest):
            skips.append(getattr(self, f"dconv_down{level}")(x))
            x = self.maxpool(skips[-1])
        x = getattr(self, f"dconv_down{self._deepest}")(x)
        for level in range(self._deepest - 1, 0, -1):
            x = getattr(self, f"dconv_up{level}")(torch.cat([self.upsample(x), skips.pop()], dim=1))
        logits: torch.Tensor = self.conv_last(x)
        return logits


def _convolution(layers: LayerShapes, name: str, kernel: int) -> nn.Sequential:
    return sequence(layers.conv(f"{name}.0", kernel), nn.ReLU(inplace=True))


class ResNetUNet(nn.Module):
    """U-Net whose encoder is a ResNet, with two more convolutions of the image itself."""

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        conv, norm = first_layer(layers, "layer0.0", "layer0.1")
        self.layer0 = nn.Sequential(conv, norm, nn.ReLU(inplace=True))
        self.layer1 = nn.Sequential(first_pool(), residual_stage(layers.at("layer1.1"), 1))
        for level in (2, 3, 4):
            self.add_module(f"layer{level}", residual_stage(layers.at(f"layer{level}"), 2))
        for level in range(5):
            self.add_module(f"layer{level}_1x1", _convolution(layers, f"layer{level}_1x1", 1))
        self.upsample = _upsample()
        for level in (3, 2, 1, 0):
            self.add_module(f"conv_up{level}", _convolution(layers, f"conv_up{level}", 3))
        for number in (0, 1, 2):
            self.add_module(f"conv_original_size{number}", _convolution(layers, f"conv_original_size{number}", 3))
        self.conv_last = layers.conv("conv_last", 1)

    def _run(self, name: str, x: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = getattr(self, name)(x)
        return features

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(B, C, H, W)``."""
        original = self._run("conv_original_size1", self._run("conv_original_size0", x))
        maps = []
        for level in range(5):
            x = getattr(self, f"layer{level}")(x)
            maps.append(x)
        x = self._run("layer4_1x1", maps[4])
        for level in (3, 2, 1, 0):
            skip = getattr(self, f"layer{level}_1x1")(maps[level])
            x = getattr(self, f"conv_up{level}")(torch.cat([self.upsample(x), skip], dim=1))
        x = self._run("conv_original_size2", torch.cat([self.upsample(x), original], dim=1))
        logits: torch.Tensor = self.conv_last(x)
        return logits


FAMILIES = (
    PlainFamily(
        "UNet (usuyama/pytorch-unet)",
        ("dconv_down1.0.weight", "dconv_up1.0.weight", "conv_last.weight"),
        UsuyamaUNet,
        card={"normalization": "imagenet"},
    ),
    PlainFamily(
        "ResNetUNet (usuyama/pytorch-unet)",
        ("layer0.0.weight", "layer0_1x1.0.weight", "conv_original_size0.0.weight", "conv_last.weight"),
        ResNetUNet,
        card={"normalization": "imagenet"},
        # The repository registers the whole ResNet a second time.
        unused=(".base_model.",),
    ),
)
