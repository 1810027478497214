"""ResUnet and ResUnet++ with ``input_layer``, ``residual_conv1 …`` and ``up_residual_conv1 …``.

Source: https://github.com/rishikksh20/ResUnet (Zhang et al. 2017, arXiv:1711.10684; Jha et al. 2019, arXiv:1911.07067).
"""

from __future__ import annotations

import torch
from torch import nn

from napari_segcam.network.families.plain.family import PlainFamily
from napari_segcam.network.families.plain.parts.layer_shapes import LayerShapes, sequence

_RATES = (6, 12, 18)


class _Sum(nn.Module):
    """A sum that is a layer, so that its result is a stage."""

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return first + second


class _Residual(nn.Module):
    def __init__(self, layers: LayerShapes, stride: int = 1) -> None:
        super().__init__()
        block, skip = layers.at("conv_block"), layers.at("conv_skip")
        self.conv_block = sequence(
            *(block.norm("0"), nn.ReLU(), block.conv("2", stride=stride)),
            *(block.norm("3"), nn.ReLU(), block.conv("5")),
        )
        self.conv_skip = sequence(skip.conv("0", stride=stride), skip.norm("1"))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.conv_block(x) + self.conv_skip(x)
        return features


class _Squeeze(nn.Module):
    """Multiply each channel by a weight that follows from the means of all channels."""

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.fc = sequence(
            *(layers.linear("fc.0", bias=False), nn.ReLU(inplace=True)),
            *(layers.linear("fc.2", bias=False), nn.Sigmoid()),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weights: torch.Tensor = self.fc(self.avg_pool(x).flatten(1))
        return x * weights[:, :, None, None]


class _Pyramid(nn.Module):
    """Dilated convolutions; the batch norm comes after the ReLU."""

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        for number, rate in enumerate(_RATES, start=1):
            block = layers.at(f"aspp_block{number}")
            parts = sequence(block.conv("0", dilation=rate), nn.ReLU(inplace=True), block.norm("2"))
            self.add_module(f"aspp_block{number}", parts)
        self.output = layers.conv("output", 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        branches = [getattr(self, f"aspp_block{number}")(x) for number in (1, 2, 3)]
        features: torch.Tensor = self.output(torch.cat(branches, dim=1))
        return features


class _Attention(nn.Module):
    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        encoder, decoder, attention = (layers.at(name) for name in ("conv_encoder", "conv_decoder", "conv_attn"))
        self.conv_encoder = sequence(encoder.norm("0"), nn.ReLU(), encoder.conv("2"), nn.MaxPool2d(2, 2))
        self.conv_decoder = sequence(decoder.norm("0"), nn.ReLU(), decoder.conv("2"))
        self.conv_attn = sequence(attention.norm("0"), nn.ReLU(), attention.conv("2", 1))

    def forward(self, skip: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        weights: torch.Tensor = self.conv_attn(self.conv_encoder(skip) + self.conv_decoder(x))
        return weights * x


class _Upsample(nn.Module):
    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.upsample: nn.Module = (
            layers.up("upsample") if layers.has("upsample") else nn.Upsample(mode="bilinear", scale_factor=2)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.upsample(x)
        return features


class ResUnet(nn.Module):
    """ResUnet, and ResUnet++ with squeezes, attention and pyramids of dilated convolutions. Both end in a sigmoid."""

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        first, self._is_plus = layers.at("input_layer"), layers.has("aspp_bridge")
        self.input_layer = sequence(first.conv("0"), first.norm("1"), nn.ReLU(), first.conv("3"))
        self.input_skip = sequence(layers.conv("input_skip.0"))
        self.input_sum = _Sum()
        if self._is_plus:
            self._downs = ["residual_conv1", "residual_conv2", "residual_conv3"]
            for number in (1, 2, 3):
                self.add_module(f"squeeze_excite{number}", _Squeeze(layers.at(f"squeeze_excite{number}")))
                self.add_module(f"attn{number}", _Attention(layers.at(f"attn{number}")))
            self.aspp_bridge, self.aspp_out = _Pyramid(layers.at("aspp_bridge")), _Pyramid(layers.at("aspp_out"))
            self._ups = ["upsample1", "upsample2", "upsample3"]
        else:
            self._downs = ["residual_conv_1", "residual_conv_2", "bridge"]
            self._ups = ["upsample_1", "upsample_2", "upsample_3"]
        for name in self._downs:
            self.add_module(name, _Residual(layers.at(name), stride=2))
        for number, name in enumerate(self._ups, start=1):
            self.add_module(name, _Upsample(layers.at(name)))
            self.add_module(f"up_residual_conv{number}", _Residual(layers.at(f"up_residual_conv{number}")))
        self.output_layer = sequence(layers.conv("output_layer.0", 1), nn.Sigmoid())
        self.stage_layers = tuple(self._stages())

    def _stages(self) -> list[tuple[str, str, str]]:
        encoders = ["input_sum", *self._downs]
        if self._is_plus:
            encoders[-1] = "aspp_bridge"
        stages = [(f"encoder_{level}", "encoder", layer) for level, layer in enumerate(encoders, start=1)]
        stages += [(f"decoder_{number}", "decoder", f"up_residual_conv{number}") for number in (1, 2, 3)]
        stages += [("decoder_aspp_out", "decoder", "aspp_out")] if self._is_plus else []
        return [*stages, ("seg_head", "head", "output_layer.0")]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return probabilities ``(B, C, H, W)``, one sigmoid per class."""
        skips = [self.input_sum(self.input_layer(x), self.input_skip(x))]
        for number, name in enumerate(self._downs, start=1):
            x = getattr(self, f"squeeze_excite{number}")(skips[-1]) if self._is_plus else skips[-1]
            skips.append(getattr(self, name)(x))
        x = skips.pop()
        if self._is_plus:
            x = self.aspp_bridge(x)
        for number, name in enumerate(self._ups, start=1):
            skip = skips.pop()
            if self._is_plus:
                x = getattr(self, f"attn{number}")(skip, x)
            x = getattr(self, f"up_residual_conv{number}")(torch.cat([getattr(self, name)(x), skip], dim=1))
        if self._is_plus:
            x = self.aspp_out(x)
        probabilities: torch.Tensor = self.output_layer(x)
        return probabilities


_SHARED = ("input_layer.0.weight", "input_skip.0.weight", "up_residual_conv1.conv_block.2.weight")

FAMILIES = (
    PlainFamily(
        "ResUnetPlusPlus (rishikksh20/ResUnet)",
        (*_SHARED, "aspp_bridge.output.weight", "output_layer.0.weight"),
        ResUnet,
        card={"normalization": "unit"},
    ),
    PlainFamily(
        "ResUnet (rishikksh20/ResUnet)",
        (*_SHARED, "bridge.conv_block.2.weight", "output_layer.0.weight"),
        ResUnet,
        card={"normalization": "unit"},
    ),
)
