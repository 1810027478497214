"""Transforms saved in an SMP folder say how to prepare the image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import segmentation_models_pytorch as smp

import napari_segcam as sc
from napari_segcam.errors import SegcamError
from napari_segcam.network.checkpoints.saved_preprocessing import read_preprocessing

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "max_pixel_value": 255.0}


def _saved(folder: Path, *transforms: dict[str, Any], kind: str = "eval") -> Path:
    """Write a file as ``Compose.save_pretrained`` of albumentations does."""
    compose = {"__class_fullname__": "Compose", "p": 1.0, "transforms": list(transforms), "bbox_params": None}
    content = {"__version__": "2.0.8", "transform": compose}
    (folder / f"albumentations_config_{kind}.json").write_text(json.dumps(content))
    return folder


def _normalize(**fields: Any) -> dict[str, Any]:
    return {"__class_fullname__": "Normalize", "p": 1.0, "normalization": "standard", **fields}


def test_size_and_normalization_are_read(tmp_path: Path) -> None:
    inner = {"__class_fullname__": "Sequential", "transforms": [_normalize(**IMAGENET)]}
    resize = {"__class_fullname__": "Resize", "height": 256, "width": 320, "interpolation": 1}
    card = read_preprocessing(_saved(tmp_path, resize, inner, {"__class_fullname__": "ToTensorV2"}), 3)
    assert card.normalization == "imagenet"
    assert (card.size.rule, card.size.height, card.size.width) == ("resize", 256, 320)
    assert card.model_fields_set == {"input_channels", "normalization", "size"}


@pytest.mark.parametrize(("white", "scale"), [(255.0, 1.0), (1.0, 1.0), (65535.0, 1.0), (510.0, 2.0)])
def test_custom_numbers_are_scaled_to_pixels_up_to_one(white: float, scale: float, tmp_path: Path) -> None:
    folder = _saved(tmp_path, _normalize(mean=0.25, std=0.125, max_pixel_value=white))
    card = read_preprocessing(folder, 1)
    assert (card.normalization, card.mean, card.std) == ("custom", (0.25 * scale,), (0.125 * scale,))


def test_transforms_for_evaluation_come_before_those_for_training(tmp_path: Path) -> None:
    _saved(tmp_path, _normalize(mean=0.5, std=0.5), kind="train")
    assert read_preprocessing(tmp_path, 3).mean == (0.5,)
    _saved(tmp_path, _normalize(**IMAGENET))
    assert read_preprocessing(tmp_path, 3).normalization == "imagenet"


def test_without_settings_there_is_no_card(tmp_path: Path) -> None:
    assert read_preprocessing(tmp_path, 3) is None
    assert read_preprocessing(_saved(tmp_path, {"__class_fullname__": "HorizontalFlip"}), 3) is None


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"transform": 3}', '{"transform": {"transforms": [{}]}}', '{"transform":' + "[" * 10**5]
)
def test_a_damaged_file_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "albumentations_config_eval.json").write_text(content)
    with pytest.raises(SegcamError, match=r"albumentations_config_eval\.json"):
        read_preprocessing(tmp_path, 3)


def test_numbers_for_other_channels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SegcamError, match="each input channel"):
        read_preprocessing(_saved(tmp_path, _normalize(mean=[0.1, 0.2, 0.3], std=[1, 1, 1])), 1)


def test_the_network_of_an_smp_folder_uses_its_normalization(tmp_path: Path) -> None:
    network = smp.Unet("resnet18", encoder_weights=None, decoder_channels=(8, 8, 4, 4, 4))
    network.save_pretrained(tmp_path / "model")
    assert sc.load_network(tmp_path / "model", "cpu").assumed["normalization"] == "imagenet"
    _saved(tmp_path / "model", _normalize(mean=0.5, std=0.25))
    loaded = sc.load_network(tmp_path / "model", "cpu")
    assert (loaded.card.normalization, loaded.card.mean, loaded.card.std) == ("custom", (0.5,), (0.25,))
    assert "normalization" not in loaded.assumed
