"""TernausNet: U-Nets whose encoder is VGG-11, VGG-16 or ResNet-34, with ``encoder``, ``center`` and ``dec5 …``.

Sources: https://github.com/ternaus/TernausNet and https://github.com/ternaus/robot-surgery-segmentation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from napari_segcam.network.families.plain.family import PlainFamily
from napari_segcam.network.families.plain.parts.layer_shapes import LayerShapes, sequence
from napari_segcam.network.families.plain.parts.resnet import first_layer, residual_stage

# Index in torchvision's VGG → names of its convolution in each level. UNet11 names convolutions or sequences.
_VGG16 = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
_VGG11 = ((0,), (3,), (6, 8), (11, 13), (16, 18))


class _Convolution(nn.Module):
    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.conv, self.activation = layers.conv("conv"), nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.activation(self.conv(x))
        return features


class _Decoder(nn.Module):
    """A convolution and a transposed one (kernel 3 or 4), or bilinear up-sampling and two convolutions."""

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        inner = layers.at("block")
        if inner.has("2"):
            upsample = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
            self.block = sequence(upsample, _Convolution(inner.at("1")), _Convolution(inner.at("2")))
        else:
            small = inner.shape("1.weight")[2:] == (3, 3)
            kernel, output_padding = (3, 1) if small else (4, 0)
            up = inner.up("1", kernel, padding=1, output_padding=output_padding)
            self.block = sequence(_Convolution(inner.at("0")), up, nn.ReLU(inplace=True))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.block(x)
        return features


class _TernausNet(nn.Module):
    """What all of them share: the decoder, and the order in which it runs."""

    def __init__(self, layers: LayerShapes, decoders: Sequence[str]) -> None:
        super().__init__()
        # The last pooling is a layer of its own, so that its result is a stage.
        self.pool, self.last_pool = nn.MaxPool2d(2, 2), nn.MaxPool2d(2, 2)
        for name in ("center", *decoders):
            self.add_module(name, _Decoder(layers.at(name)))

    def _decode(self, maps: list[torch.Tensor]) -> torch.Tensor:
        x: torch.Tensor = self.get_submodule("center")(self.last_pool(maps[-1]))
        for level in range(5, 1, -1):
            x = getattr(self, f"dec{level}")(torch.cat([x, maps[level - 1]], 1))
        return x


class VGGUNet(_TernausNet):
    """UNet11 and UNet16."""

    def __init__(self, layers: LayerShapes, indices: tuple[tuple[int, ...], ...] = _VGG16) -> None:
        super().__init__(layers, ("dec5", "dec4", "dec3", "dec2"))
        self._named_layers = layers.has("conv1.weight")  # an earlier UNet11 has no sequences
        parts: dict[str, nn.Module] = {}
        for level, numbers in enumerate(indices, start=1):
            convolutions = [layers.conv(f"encoder.{number}") for number in numbers]
            parts |= {str(number): conv for number, conv in zip(numbers, convolutions, strict=True)}
            if self._named_layers:
                names = [f"conv{level}"] if len(numbers) == 1 else [f"conv{level}s", f"conv{level}"]
                for name, number, conv in zip(names, numbers, convolutions, strict=True):
                    layers.alias(name, f"encoder.{number}")
                    self.add_module(name, conv)
                self.add_module(f"relu{level}", nn.ReLU(inplace=True))
                continue
            block = nn.Sequential()
            for position, (number, conv) in enumerate(zip(numbers, convolutions, strict=True)):
                layers.alias(f"conv{level}.{2 * position}", f"encoder.{number}")
                block.append(conv).append(nn.ReLU(inplace=True))
            self.add_module(f"conv{level}", block)
        self.encoder = nn.ModuleDict(parts)
        self.dec1 = _Convolution(layers.at("dec1"))
        self.final = layers.conv("final", 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(B, C, H, W)``; the repository returns their log-softmax if there are several classes."""
        maps: list[torch.Tensor] = []
        for level in range(1, 6):
            x = self.pool(maps[-1]) if maps else x
            if self._named_layers:
                if hasattr(self, f"conv{level}s"):
                    x = torch.relu(getattr(self, f"conv{level}s")(x))
                x = getattr(self, f"relu{level}")(getattr(self, f"conv{level}")(x))
            else:
                x = getattr(self, f"conv{level}")(x)
            maps.append(x)
        x = self.dec1(torch.cat([self._decode(maps), maps[0]], 1))
        logits: torch.Tensor = self.final(x)
        return logits


class AlbuNet(_TernausNet):
    """U-Net with ResNet-34 as its encoder."""

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__(layers, ("dec5", "dec4", "dec3", "dec2", "dec1"))
        encoder = nn.Module()
        encoder.conv1, encoder.bn1 = first_layer(layers, "encoder.conv1", "encoder.bn1")
        # The repository pools with 2 × 2 pixels after the first convolution, not as ResNet does.
        self.conv1 = nn.Sequential(encoder.conv1, encoder.bn1, nn.ReLU(inplace=True), self.pool)
        layers.alias("conv1.0", "encoder.conv1")
        layers.alias("conv1.1", "encoder.bn1")
        for stage in (1, 2, 3, 4):
            blocks = residual_stage(layers.at(f"encoder.layer{stage}"), 1 if stage == 1 else 2)
            layers.alias(f"conv{stage + 1}", f"encoder.layer{stage}")
            self.add_module(f"conv{stage + 1}", blocks)
            encoder.add_module(f"layer{stage}", blocks)
        if layers.has("encoder.fc"):
            encoder.fc = layers.linear("encoder.fc")
        self.encoder = encoder
        self.dec0 = _Convolution(layers.at("dec0"))
        self.final = layers.conv("final", 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(B, C, H, W)``; the repository returns their log-softmax if there are several classes."""
        maps: list[torch.Tensor] = []
        for level in range(1, 6):
            x = getattr(self, f"conv{level}")(x)
            maps.append(x)
        x = self.get_submodule("dec1")(self._decode(maps))
        logits: torch.Tensor = self.final(self.dec0(x))
        return logits


def _vgg11(layers: LayerShapes) -> VGGUNet:
    return VGGUNet(layers, _VGG11)


def _family(name: str, marks: tuple[str, ...], build: Callable[..., nn.Module]) -> PlainFamily:
    marks = (*marks, "final.weight")
    return PlainFamily(f"{name} (ternaus/TernausNet)", marks, build, card={"normalization": "imagenet"})


FAMILIES = (
    _family("UNet16", ("encoder.0.weight", "encoder.28.weight", "dec1.conv.weight"), VGGUNet),
    _family("UNet11", ("encoder.0.weight", "encoder.18.weight", "dec1.conv.weight"), _vgg11),
    _family("AlbuNet", ("encoder.conv1.weight", "conv2.0.conv1.weight", "dec0.conv.weight"), AlbuNet),
)
