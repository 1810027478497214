"""Small networks that differ in their weights, their stages or the way they see a frame."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

import napari_segcam as sc

CARD = sc.ModelCard(input_channels=1, normalization="unit")


class SmallUnet(nn.Module):
    """``encoder`` at stride 2, ``deep`` at stride 4, ``decoder`` at stride 1; optionally a stage that others lack."""

    def __init__(self, seed: int, classes: int = 1, *, extra: bool = False, width: int = 6) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.stem = nn.Conv2d(1, width, 3, stride=2, padding=1)
        self.deep = nn.Conv2d(width, width, 3, stride=2, padding=1)
        if extra:
            self.refined = nn.Conv2d(width, width, 3, padding=1)
        self.decoder = nn.Conv2d(2 * width, width, 3, padding=1)
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = self.stem(x).tanh()
        second = self.deep(first).tanh()
        if hasattr(self, "refined"):
            second = second + self.refined(second).tanh()
        joined = torch.cat([first, F.interpolate(second, size=first.shape[-2:])], 1)
        decoded = self.decoder(F.interpolate(joined, scale_factor=2)).tanh()
        return 4 * self.head(decoded)


class Classifier(nn.Module):
    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.body = nn.Conv2d(1, 5, 3, stride=2, padding=1)
        self.head = nn.Linear(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x).tanh().mean((2, 3)))


def small(seed: int, classes: int = 1, card: sc.ModelCard = CARD, *, extra: bool = False, width: int = 6) -> sc.Network:
    module = SmallUnet(seed, classes, extra=extra, width=width)
    return sc.Network.from_module(module, card, device="cpu", rewrite=False)
