"""A checkpoint file, and networks of several classes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import segmentation_models_pytorch as smp
import torch

from napari_segcam.network.model_card import ModelCard
from napari_segcam.network.network import Network
from napari_segcam.viewer.functions.networks import kept_networks


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("checkpoint") / "best_model.pth"
    torch.save(smp.Unet("resnet18", encoder_weights=None).state_dict(), path)
    return path


@pytest.fixture(scope="session")
def overlapping() -> Network:
    torch.manual_seed(0)
    module = smp.Unet("resnet18", encoder_weights=None, classes=2)
    card = ModelCard(class_names=("cyst", "wall"), classes_overlap=True)
    return Network.from_module(module, card, device="cpu")


@pytest.fixture(autouse=True)
def forget_networks() -> Iterator[None]:
    yield
    kept_networks.clear()
