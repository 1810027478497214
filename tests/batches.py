"""What the tests of batches share: a tiny network, images with masks, and what a run's folder holds."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import segmentation_models_pytorch as smp
import torch
from PIL import Image

SIDE = 64


def write_checkpoint(path: Path, classes: int = 1, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    module = smp.Unet("resnet18", encoder_weights=None, decoder_channels=(32, 16, 8, 8, 4), classes=classes)
    torch.save(module.state_dict(), path)
    return path


def write_images(folder: Path, count: int, masks: Path | None = None) -> Path:
    """``image_N.png`` of noise, each with a square for a mask if wanted."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        frame = np.random.default_rng(number).integers(0, 255, (SIDE, SIDE), dtype=np.uint8)
        Image.fromarray(frame).save(folder / f"image_{number}.png")
        if masks is not None:
            masks.mkdir(parents=True, exist_ok=True)
            mask = np.zeros((SIDE, SIDE), np.uint8)
            mask[10 : 20 + number, 30:50] = 255
            Image.fromarray(mask).save(masks / f"image_{number}_mask.png")
    return folder


def rows_in(run: Path) -> list[dict[str, str]]:
    with (run / "results.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def errors_in(run: Path) -> dict[str, str]:
    with (run / "errors.csv").open(newline="", encoding="utf-8") as file:
        return {row["image"]: row["error"] for row in csv.DictReader(file)}


def records_in(run: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(run.glob("images/*/record.json"))]


def all_files(run: Path) -> dict[str, bytes]:
    """Every file of a run but ``run.json``, which says when it was begun."""
    return {
        path.relative_to(run).as_posix(): path.read_bytes()
        for path in sorted(run.rglob("*"))
        if path.is_file() and path.name != "run.json"
    }
