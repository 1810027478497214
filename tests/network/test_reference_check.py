"""A saved input and output: read, compared with what the network gives, and kept on the card."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.network.loading import load_network, save_card
from napari_segcam.network.model_card import ModelCard, find_card
from napari_segcam.network.network import Network
from napari_segcam.network.reference_check import check_reference
from napari_segcam.network.reference_pair import pair_of, read_pair


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 1))
    return Network.from_module(module, ModelCard(input_channels=2), "cpu")


@pytest.fixture
def image() -> torch.Tensor:
    return torch.randn(2, 2, 32, 48, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("form", "overlap"), [("logits", None), ("sigmoid", True), ("softmax", False), ("log_softmax", False)]
)
def test_agrees_with_logits_and_probabilities(
    network: Network, image: torch.Tensor, form: str, overlap: bool | None
) -> None:
    with torch.no_grad():
        logits = network.module(image)
    saved = {
        "logits": logits,
        "sigmoid": logits.sigmoid(),
        "softmax": logits.softmax(1),
        "log_softmax": logits.log_softmax(1),
    }[form]
    result = check_reference(network, pair_of(image.numpy(), saved.numpy()))
    assert result.agrees
    assert result.comparison.form == form
    assert result.comparison.largest_difference < 1e-5
    assert result.network.card.verified is not None
    assert "normalization" in result.network.assumed  # the pair says nothing about the preprocessing
    assert ("classes_overlap" in result.network.assumed) == (overlap is None)
    assert result.network.classes_overlap == bool(overlap)


def test_a_small_difference_is_not_verified(network: Network, image: torch.Tensor) -> None:
    with torch.no_grad():
        saved = network.module(image).numpy()
    saved[1, 2, 3, 4] += 0.05
    result = check_reference(network, pair_of(image.numpy(), saved))
    assert not result.agrees
    assert result.network is network
    assert result.comparison.largest_difference == pytest.approx(0.05, abs=1e-5)
    assert "0.05" in result.text


def test_a_single_image_needs_no_batch_axis(network: Network, image: torch.Tensor) -> None:
    with torch.no_grad():
        saved = network.module(image)[:1]
    assert check_reference(network, pair_of(image[0].numpy(), saved[0].numpy())).agrees


@pytest.mark.parametrize(
    ("shape", "saved", "message"),
    [
        ((1, 3, 32, 32), (1, 3, 32, 32), "3 channels, but .* takes 2"),
        ((1, 2, 32, 32), (1, 4, 32, 32), r"\(1, 4, 32, 32\), but the network gives \(1, 3, 32, 32\)"),
        ((1, 1, 2, 32, 32), (1, 3, 32, 32), "must be as the network takes it"),
    ],
)
def test_shapes_that_do_not_fit(network: Network, shape: tuple[int, ...], saved: tuple[int, ...], message: str) -> None:
    with pytest.raises(SegcamError, match=message):
        check_reference(network, pair_of(np.zeros(shape), np.ones(saved)))


def test_values_that_are_no_numbers() -> None:
    with pytest.raises(SegcamError, match="not finite"):
        pair_of(np.full((2, 8, 8), np.nan), np.zeros((1, 8, 8)))
    with pytest.raises(SegcamError, match="no numbers"):
        pair_of(np.array([["a"]]), np.zeros((1, 8, 8)))


def test_files_that_are_no_plain_arrays(tmp_path: Path) -> None:
    good = tmp_path / "good.npy"
    np.save(good, np.zeros((1, 8, 8), np.float32))
    text = tmp_path / "text.npy"
    text.write_text("not an array")
    objects = tmp_path / "objects.npy"
    np.save(objects, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    lying = tmp_path / "lying.npy"
    content = good.read_bytes().replace(b"(1, 8, 8)", b"(9, 8, 8)")
    lying.write_bytes(content)
    for bad in (text, objects, lying):
        with pytest.raises(SegcamError, match="no plain NumPy array"):
            read_pair(good, bad)
    with pytest.raises(SegcamError, match="cannot be read"):
        read_pair(good, tmp_path / "absent.npy")


def test_the_card_keeps_what_was_verified(tmp_path: Path) -> None:
    import segmentation_models_pytorch as smp

    torch.manual_seed(0)
    module = smp.Unet("resnet18", encoder_weights=None, in_channels=1, classes=1).eval()
    save_file(module.state_dict(), tmp_path / "unet.safetensors")
    image = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        saved = module(image)
    np.save(tmp_path / "input.npy", image.numpy())
    np.save(tmp_path / "output.npy", saved.numpy())
    np.save(tmp_path / "other.npy", saved.numpy() * 1.5)
    pair = (tmp_path / "input.npy", tmp_path / "output.npy")
    network = load_network(tmp_path / "unet.safetensors", "cpu", check=pair)
    assert set(network.assumed) == {"normalization"}
    save_card(network, tmp_path / "unet.safetensors")
    card = find_card(tmp_path / "unet.safetensors")
    assert card is not None
    assert card.verified is not None
    assert card.verified.input_sha256 == hashlib.sha256(pair[0].read_bytes()).hexdigest()
    assert card.verified.output_sha256 == hashlib.sha256(pair[1].read_bytes()).hexdigest()
    with pytest.raises(SegcamError, match="does not reproduce the saved output: difference"):
        load_network(tmp_path / "unet.safetensors", "cpu", check=(pair[0], tmp_path / "other.npy"))
