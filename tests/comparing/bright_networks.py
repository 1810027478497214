"""Networks with known masks: bright pixels, in some frames shifted; and images and cines for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

import napari_segcam as sc

SIDE = 64


class Bright(nn.Module):
    """Class k + 1 of ``classes`` is where the image is brighter than 0.5; with ``shift``, that many rows further down
    in frames whose first pixel is white."""

    def __init__(self, shift: int = 0, classes: int = 1) -> None:
        super().__init__()
        self.scale = nn.Conv2d(1, 1, 1, bias=False)
        nn.init.constant_(self.scale.weight, 20.0)
        self.shift, self.classes = shift, classes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = self.scale(x - 0.5)
        is_marked = x[:, :, :1, :1] > 0.9
        logits = torch.where(is_marked, torch.roll(logits, self.shift, 2), logits)
        if self.classes == 1:
            return logits
        return torch.cat([-logits, *(logits - number for number in range(1, self.classes))], 1)


def network(shift: int = 0, classes: int = 1, names: tuple[str, ...] = ("finding",), **card: object) -> sc.Network:
    fields = {"input_channels": 1, "normalization": "unit", "class_names": names, **card}
    return sc.Network.from_module(Bright(shift, classes), sc.ModelCard(**fields), device="cpu")


def frame(top: int, height: int, *, marked: bool = False) -> NDArray[np.uint8]:
    """Return a dark frame with a bright rectangle 20 columns wide; none if the height is 0."""
    values = np.zeros((SIDE, SIDE), np.uint8)
    values[top : top + height, 20:40] = 255
    values[0, 0] = 255 if marked else 0
    return values


def write_still(path: Path, image: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def write_cine(path: Path, frames: list[NDArray[np.uint8]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, np.stack(frames), photometric="minisblack")
