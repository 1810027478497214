"""Robustness of networks with color images and several classes, and of ensembles: figures counted by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import napari_segcam as sc

STEP = 12.0
"""Decibels that are a fifth of the gray values."""
SIDE = 32
CLASSES = ("background", "red", "green")


class Brightest(nn.Module):
    """Class 1 is where red is above a threshold, class 2 where green is, and all else is background."""

    def __init__(self, threshold: float = 0.5) -> None:
        super().__init__()
        self.color = nn.Conv2d(3, 2, 1)
        nn.init.zeros_(self.color.weight)
        nn.init.constant_(self.color.bias, -40.0 * threshold)
        with torch.no_grad():
            self.color.weight[0, 0], self.color.weight[1, 1] = 40.0, 40.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        colors = self.color(x)
        return torch.cat([torch.zeros_like(colors[:, :1]), colors], 1)


def network(threshold: float = 0.5) -> sc.Network:
    card = sc.ModelCard(input_channels=3, normalization="unit", class_names=CLASSES)
    return sc.Network.from_module(Brightest(threshold), card, device="cpu")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """One image in color, 16 red rows of which 8 are bright and 8 less so, and 4 green columns; and its true mask."""
    values = np.zeros((SIDE, SIDE, 3))
    values[0:8, :20, 0], values[8:16, :20, 0], values[:, 28:, 1] = 0.9, 0.65, 0.9
    truth = np.zeros((SIDE, SIDE), np.uint8)
    truth[:16, :20], truth[:, 28:] = 1, 2
    for folder, pixels in (("images", np.rint(255 * values).astype(np.uint8)), ("masks", truth)):
        (tmp_path / folder).mkdir()
        Image.fromarray(pixels).save(tmp_path / folder / "case.png")
    return tmp_path


def dice_of(data: Path, measured: sc.Network) -> dict[tuple[str, float], float]:
    options = sc.RobustnessOptions(strengths={"gain": (-STEP,)}, classes=("red", "green"), stage="color")
    result = sc.measure_robustness(measured, data / "images", data / "masks", options)
    assert not result.errors
    return {(row["class"], row["strength"]): row["dice"] for row in result.rows}


def test_each_class_of_a_color_image_is_measured(data: Path) -> None:
    found = dice_of(data, network())
    assert (found["red", 0], found["green", 0]) == (1, 1)
    assert found["red", -STEP] == pytest.approx(2 * 8 / (8 + 16))  # of red only 0.9 − 0.2 is above 0.5
    assert found["green", -STEP] == 1


def test_an_ensemble_is_measured_by_the_mean_of_its_members(data: Path) -> None:
    """Red of 0.65 is seen by one member and not by the other: the mean of both decides."""
    members = [network(0.5), network(0.68)]
    found = dice_of(data, sc.Ensemble.of_networks(members))
    frame = sc.open_cine(data / "images" / "case.png")[0]
    truth = np.asarray(Image.open(data / "masks" / "case.png"))
    means = np.mean([sc.Explainer(member, stages=())(frame).probabilities for member in members], axis=0)
    labels = means.argmax(0)
    for index, name in enumerate(CLASSES[1:], 1):
        mask, true = labels == index, truth == index
        assert found[name, 0] == pytest.approx(2 * (mask & true).sum() / (mask.sum() + true.sum()))
    assert found["red", -STEP] == pytest.approx(2 * 8 / (8 + 16))
