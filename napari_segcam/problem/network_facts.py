"""What a bug report says of a network: numbers and classes, no names of classes or files."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from napari_segcam.errors import SegcamError

_SUFFIXES = (".pth", ".pt", ".pt2", ".ckpt", ".bin", ".safetensors", ".onnx", ".keras", ".h5", ".zip", ".yaml")

if TYPE_CHECKING:
    from napari_segcam.network.network import Network


def facts_of_file(model: Path) -> Iterator[tuple[str, str]]:
    """Yield what can be said of a checkpoint, with the time to load it and to explain a frame of the phantom.

    A checkpoint that is refused is a fact too; its message is left out, since it may quote names.

    Raises:
        SegcamError: if there is no such file.
    """
    from napari_segcam.files import refuse_no_file

    refuse_no_file(model)
    yield "File", f"{_kind(model)}, {_megabytes(model):.1f} MB"
    from napari_segcam.network.loading import load_network

    start = time.perf_counter()
    try:
        network = load_network(model)
    except SegcamError as fault:
        yield "Loading", f"refused ({type(fault).__name__})"
        return
    except Exception as fault:  # a report must be possible just then
        yield "Loading", f"failed ({type(fault).__name__})"
        return
    yield "Loading", f"{time.perf_counter() - start:.2f} s"
    yield from facts_of(network)
    yield from _timing(network)


def facts_of(network: Network) -> Iterator[tuple[str, str]]:
    """Yield what can be said of a network that is loaded."""
    card = network.card
    kind = type(network.module)
    yield "Network", f"{kind.__module__.partition('.')[0]}.{kind.__name__}"
    yield "Weights", f"{sum(weight.numel() for weight in network.module.parameters()):,}, {network.dtype}"
    yield "Device", str(network.device)
    yield "Stages", str(len(network.stages))
    yield (
        "Card",
        (
            f"{card.input_channels} input channels, size rule {card.size.rule} {card.size.fixed or ''}".rstrip()
            + f", {len(network.class_names)} classes, {'overlapping' if network.classes_overlap else 'exclusive'}"
            + f", threshold {card.threshold:g}"
        ),
    )
    yield "Assumed", ", ".join(sorted(network.assumed)) or "nothing"


def _timing(network: Network) -> Iterator[tuple[str, str]]:
    from napari_segcam.demo import FRAME, sample_cine
    from napari_segcam.explanation.explainer import Explainer
    from napari_segcam.imaging.opening import open_cine

    frame = open_cine(sample_cine())[FRAME]
    try:
        explainer = Explainer(network, stages="main")
        for turn in ("First frame of the phantom", "Second frame of the phantom"):
            start = time.perf_counter()
            explainer(frame)
            yield turn, f"{time.perf_counter() - start:.2f} s with its heatmaps"
    except Exception as fault:  # a report must be possible just then
        yield "Explaining the phantom", f"failed ({type(fault).__name__})"


def _kind(model: Path) -> str:
    suffix = model.suffix.lower()
    return "folder" if model.is_dir() else suffix if suffix in _SUFFIXES else "with another suffix"


def _megabytes(model: Path) -> float:
    files = [model] if model.is_file() else [file for file in model.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files) / 1e6
