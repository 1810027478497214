"""The machine and the programs on it, as a bug report needs them."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

PACKAGES = (
    "napari-segcam",
    "napari",
    "npe2",
    "PyQt6",
    "PySide6",
    "numpy",
    "torch",
    "torchvision",
    "timm",
    "segmentation-models-pytorch",
    "pydicom",
    "highdicom",
    "dicomweb-client",
    "dicom-anonymizer",
    "onnx",
    "onnxruntime",
    "keras",
    "monai",
    "transformers",
    "captum",
    "grad-cam",
    "av",
    "dask",
    "distributed",
)
"""Whose versions a report lists; those that are not installed are left out, except the first two."""


def versions() -> Iterator[tuple[str, str]]:
    """Yield the versions of Python, the system and the packages."""
    yield "Python", platform.python_version()
    yield "System", f"{platform.system()} {platform.release()} ({platform.machine()})"
    for package in PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            if package in PACKAGES[:2]:
                yield package, "not installed"


def machine() -> Iterator[tuple[str, str]]:
    """Yield processor cores, memory and the devices that torch sees."""
    yield "Processor cores", str(os.cpu_count())
    if (memory := _memory_gb()) is not None:
        yield "Memory", f"{memory:.1f} GB"
    import torch

    yield "Threads of torch", str(torch.get_num_threads())
    yield "CUDA of torch", str(torch.version.cuda or "none")
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(number)
            yield f"GPU {number}", f"{properties.name}, {properties.total_memory / 2**30:.1f} GB"
    yield "MPS", "available" if torch.backends.mps.is_available() else "not available"


def _memory_gb() -> float | None:
    """Return the machine's memory; None where the system does not say."""
    if sys.platform == "win32":
        return None
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    except (ValueError, OSError, AttributeError):
        return None
