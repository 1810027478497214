"""A package is told by the files in it; ordinary folders, archives and checkpoints are none."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch

from napari_segcam.network.packages.kinds import find_package


def fill(folder: Path, names: list[str], content: str = "{}") -> Path:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    return folder


KINDS = {
    "bioimage.io": ["rdf.yaml", "weights.pt"],
    "MONAI bundle": ["configs/metadata.json", "configs/inference.json", "models/model.pt"],
    "nnU-Net": ["plans.json", "dataset.json", "fold_0/checkpoint_final.pth"],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("top", ["", "inside/"])
def test_folders_and_archives_are_told_by_their_files(kind: str, top: str, tmp_path: Path) -> None:
    folder = fill(tmp_path / "a", KINDS[kind])
    found = find_package(folder)
    assert found is not None
    assert (found.kind, found.path, found.inside) == (kind, folder, "")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in KINDS[kind]:
            archive.write(folder / name, f"{top}{name}")
    found = find_package(tmp_path / "a.zip")
    assert found is not None
    assert found.kind == kind


def test_hugging_face_folders_are_told_from_those_of_smp(tmp_path: Path) -> None:
    names = ["config.json", "model.safetensors"]
    theirs = fill(tmp_path / "hf", names, json.dumps({"model_type": "segformer"}))
    smp = fill(tmp_path / "smp", names, json.dumps({"_model_class": "Unet"}))
    found = find_package(theirs / "model.safetensors")
    assert found is not None
    assert (found.kind, found.path) == ("Hugging Face", theirs)
    assert find_package(smp) is None
    assert find_package(smp / "model.safetensors") is None


def test_other_files_are_no_packages(tmp_path: Path) -> None:
    torch.save({"a.weight": torch.zeros(2)}, tmp_path / "x.pth")
    (tmp_path / "notes.zip").write_bytes(b"PK\x03\x04 no archive")
    (tmp_path / "text.yaml").write_text("a: 1", encoding="utf-8")
    for name in ("x.pth", "notes.zip", "text.yaml", "missing", ""):
        assert find_package(tmp_path / name) is None


def test_looking_imports_no_torch() -> None:
    program = "import sys; import napari_segcam.network.packages.kinds; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
