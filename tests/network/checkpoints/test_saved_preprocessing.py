"""Transforms saved beside an SMP folder say how its images are fed."""

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
    """As ``Compose.save_pretrained`` of albumentations writes it."""
    compose = {"__class_fullname__": "Compose", "p": 1.0, "transforms": list(transforms), "bbox_params": None}
    content = {"__version__": "2.0.8", "transform": compose}
    (folder / f"albumentations_config_{kind}.json").write_text(json.dumps(content))
    return folder


def _normalize(**fields: Any) -> dict[str, Any]:
    return {"__class_fullname__": "Normalize", "p": 1.0, "normalization": "standard", **fields}


def test_size_and_normalization_are_taken(tmp_path):
    inner = {"__class_fullname__": "Sequential", "transforms": [_normalize(**IMAGENET)]}
    resize = {"__class_fullname__": "Resize", "height": 256, "width": 320, "interpolation": 1}
    card = read_preprocessing(_saved(tmp_path, resize, inner, {"__class_fullname__": "ToTensorV2"}), 3)
    assert card.normalization == "imagenet"
    assert (card.size.rule, card.size.height, card.size.width) == ("resize", 256, 320)
    assert card.model_fields_set == {"input_channels", "normalization", "size"}


@pytest.mark.parametrize(("white", "share"), [(255.0, 1.0), (1.0, 1.0), (65535.0, 1.0), (510.0, 2.0)])
def test_numbers_of_ones_own_are_brought_to_pixels_up_to_one(white, share, tmp_path):
    folder = _saved(tmp_path, _normalize(mean=0.25, std=0.125, max_pixel_value=white))
    card = read_preprocessing(folder, 1)
    assert (card.normalization, card.mean, card.std) == ("custom", (0.25 * share,), (0.125 * share,))


def test_what_is_for_use_goes_before_what_is_for_training(tmp_path):
    _saved(tmp_path, _normalize(mean=0.5, std=0.5), kind="train")
    assert read_preprocessing(tmp_path, 3).mean == (0.5,)
    _saved(tmp_path, _normalize(**IMAGENET))
    assert read_preprocessing(tmp_path, 3).normalization == "imagenet"


def test_nothing_is_made_of_nothing(tmp_path):
    assert read_preprocessing(tmp_path, 3) is None
    assert read_preprocessing(_saved(tmp_path, {"__class_fullname__": "HorizontalFlip"}), 3) is None


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"transform": 3}', '{"transform": {"transforms": [{}]}}', '{"transform":' + "[" * 10**5]
)
def test_what_makes_no_sense_is_said(content, tmp_path):
    (tmp_path / "albumentations_config_eval.json").write_text(content)
    with pytest.raises(SegcamError, match=r"albumentations_config_eval\.json"):
        read_preprocessing(tmp_path, 3)


def test_numbers_for_other_channels_are_said(tmp_path):
    with pytest.raises(SegcamError, match="each input channel"):
        read_preprocessing(_saved(tmp_path, _normalize(mean=[0.1, 0.2, 0.3], std=[1, 1, 1])), 1)


def test_the_network_of_an_smp_folder_is_fed_as_it_says(tmp_path):
    network = smp.Unet("resnet18", encoder_weights=None, decoder_channels=(8, 8, 4, 4, 4))
    network.save_pretrained(tmp_path / "model")
    assert sc.load_network(tmp_path / "model", "cpu").assumed["normalization"] == "imagenet"
    _saved(tmp_path / "model", _normalize(mean=0.5, std=0.25))
    loaded = sc.load_network(tmp_path / "model", "cpu")
    assert (loaded.card.normalization, loaded.card.mean, loaded.card.std) == ("custom", (0.5,), (0.25,))
    assert "normalization" not in loaded.assumed
