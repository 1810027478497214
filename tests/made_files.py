"""Make checkpoint files for tests, as bytes."""

from __future__ import annotations

import io
import warnings
import zipfile
from typing import Any

import torch
from torch import nn


def saved(content: Any, **options: Any) -> bytes:
    """Return the file that ``torch.save`` writes for an object."""
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def zipped(entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip archive with these entries."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def entries_of(content: bytes) -> dict[str, bytes]:
    """Return the entries of a zip archive by name."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


class SmallNetwork(nn.Module):
    """Network with two strides down and one up, small enough to compile in a test."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.deep = nn.Sequential(nn.Conv2d(4, 6, 3, stride=2, padding=1), nn.ReLU(inplace=True))
        self.head = nn.Conv2d(10, 2, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        shallow = self.down(image)
        deep = self.deep(shallow)
        raised = nn.functional.interpolate(deep, size=shallow.shape[-2:], mode="bilinear")
        logits = self.head(torch.cat([shallow, raised], 1))
        return nn.functional.interpolate(logits, size=image.shape[-2:], mode="bilinear")


def small_network() -> SmallNetwork:
    """Return a network in eval mode, with the same weights at each call."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return SmallNetwork().eval()


def scripted(network: nn.Module) -> bytes:
    """Return the TorchScript file of a network after scripting."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(network), buffer)
    return buffer.getvalue()


def traced(network: nn.Module, side: int = 32) -> bytes:
    """Return the TorchScript file of a network after tracing."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(network, torch.zeros(1, 3, side, side)), buffer)
    return buffer.getvalue()


def exported(network: nn.Module, side: int = 64, *, any_size: bool = False) -> bytes:
    """Return the exported program of a network, for one image size or for any."""
    sizes = None
    if any_size:
        rows, columns = torch.export.Dim("rows", min=2), torch.export.Dim("columns", min=2)
        sizes = ({0: torch.export.Dim("batch"), 2: 32 * rows, 3: 32 * columns},)
    batch, width = (2, side + 32) if any_size else (1, side)
    program = torch.export.export(network, (torch.zeros(batch, 3, side, width),), dynamic_shapes=sizes)
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    return buffer.getvalue()
