"""What is in the wheel and in the source archive: all of the package, the sample, the license, and nothing else."""

from __future__ import annotations

import subprocess
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

from source import Finding

SAMPLE = "napari_segcam/resources/fibroid_sweep.dcm"
LARGEST = 30_000_000
_DATA = {".dcm", ".safetensors", ".pth", ".pt", ".ckpt", ".onnx", ".h5", ".npz", ".nii", ".mp4", ".avi"}
_SHIPPED_DATA = {SAMPLE, "napari_segcam/resources/demo_fibroid_unetplusplus_b0.safetensors"}
_OF_SOURCE = (
    "pyproject.toml",
    "LICENSE",
    "README.md",
    "CHANGELOG.md",
    "tests/conftest.py",
    "sample_data/fibroid_sweep.dcm",
)


def check_wheel_contents(wheel: Path, root: Path, version: str) -> Finding:
    """Compare the files of a wheel with those that git knows, and its metadata with the version."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        info = f"napari_segcam-{version}.dist-info"
        metadata = archive.read(f"{info}/METADATA").decode() if f"{info}/METADATA" in names else ""
    tracked = subprocess.run(
        ["git", "-C", str(root), "ls-files", "napari_segcam"], check=True, capture_output=True, text=True
    ).stdout.split()
    package = {name for name in names if not name.startswith(info)}
    wanted = {*tracked, SAMPLE}
    mistakes = [
        *(f"lacks {name}" for name in sorted(wanted - package)[:3]),
        *(f"should not hold {name}" for name in sorted(package - wanted)[:3]),
        *(f"holds data: {name}" for name in sorted(package - _SHIPPED_DATA) if Path(name).suffix in _DATA),
    ]
    for name in ("licenses/LICENSE", "entry_points.txt"):
        if f"{info}/{name}" not in names:
            mistakes.append(f"lacks {name}")
    if Parser().parsestr(metadata)["Version"] != version:
        mistakes.append(f"is not of version {version}")
    if wheel.stat().st_size > LARGEST:
        mistakes.append(f"has {wheel.stat().st_size / 1e6:.0f} MB")
    note = f"{len(package)} files, {wheel.stat().st_size / 1e6:.0f} MB, with the sample and the license"
    return Finding("wheel", "FAILED" if mistakes else "ok", "; ".join(mistakes) or note)


def check_source_archive(path: Path, version: str) -> Finding:
    """Check that a source archive holds what is needed to build and test it."""
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    missing = [name for name in _OF_SOURCE if name not in names]
    caches = [name for name in names if "__pycache__" in name]
    mistakes = [f"lacks {name}" for name in missing] + [f"holds {name}" for name in caches[:1]]
    if not path.name.startswith(f"napari_segcam-{version}."):
        mistakes.append(f"is not of version {version}")
    return Finding("source archive", "FAILED" if mistakes else "ok", "; ".join(mistakes) or f"{len(names)} entries")
