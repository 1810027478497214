"""SegNet with ``ConvEn11 …`` and ``ConvDe53 …``, which enlarges maps to where its pooling found the largest values.

Source: https://github.com/vinceecws/SegNet_PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from napari_segcam.network.families.plain.family import PlainFamily
from napari_segcam.network.families.plain.parts.layer_shapes import LayerShapes


class SegNet(nn.Module):
    """SegNet of any number of stages, each with as many convolutions in the encoder as in the decoder."""

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.MaxEn = nn.MaxPool2d(2, stride=2, return_indices=True)
        self.MaxDe = nn.MaxUnpool2d(2, stride=2)
        stages = next(count for count in range(10) if not layers.has(f"ConvEn{count + 1}1"))
        self._convolutions = [
            sum(layers.has(f"ConvEn{stage}{number}") for number in range(1, 10)) for stage in range(1, stages + 1)
        ]
        for stage, count in enumerate(self._convolutions, start=1):
            for part in ("En", "De"):
                for number in range(1, count + 1):
                    name = f"{part}{stage}{number}"
                    self.add_module(f"Conv{name}", layers.conv(f"Conv{name}"))
                    self.add_module(f"BN{name}", layers.norm(f"BN{name}"))
                    self.add_module(f"relu{name}", nn.ReLU(inplace=True))
        self.stage_layers = tuple(self._stages())

    def _stages(self) -> Iterator[tuple[str, str, str]]:
        for stage, count in enumerate(self._convolutions, start=1):
            yield f"encoder_{stage}", "encoder", f"reluEn{stage}{count}"
        for stage in range(len(self._convolutions), 0, -1):
            yield f"decoder_{stage}", "decoder", f"reluDe{stage}{1 if stage > 1 else 2}"
        yield "seg_head", "head", "ConvDe11"

    def _layer(self, name: str, x: torch.Tensor) -> torch.Tensor:
        for kind in ("Conv", "BN", "relu"):
            x = getattr(self, f"{kind}{name}")(x)
        return x

    def _head(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.get_submodule("ConvDe11")(x)
        return logits

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(B, C, H, W)``. The last batch norm is not used, as in the repository."""
        pooled = []
        for stage, count in enumerate(self._convolutions, start=1):
            for number in range(1, count + 1):
                x = self._layer(f"En{stage}{number}", x)
            size = x.shape
            x, indices = self.MaxEn(x)
            pooled.append((indices, size))
        for stage in range(len(self._convolutions), 0, -1):
            indices, size = pooled.pop()
            x = self.MaxDe(x, indices, output_size=size)
            for number in range(self._convolutions[stage - 1], 0, -1):
                is_last = stage == number == 1
                x = self._head(x) if is_last else self._layer(f"De{stage}{number}", x)
        return x


FAMILIES = (
    PlainFamily(
        "SegNet (vinceecws/SegNet_PyTorch)",
        ("ConvEn11.weight", "ConvDe11.weight", "BNEn11.weight"),
        SegNet,
        card={"normalization": "unit"},
    ),
)
