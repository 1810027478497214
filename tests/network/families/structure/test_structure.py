"""Networks of unknown names: what is read from the shapes, offered, accepted, kept on the card, and refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from generated_unets import GeneratedUNet, UNetConfig, generated
from not_unets import NOT_UNETS
from torch import nn

from napari_segcam.demo import sample_cine
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.opening import open_cine
from napari_segcam.network.families.structure.choices import default_choices
from napari_segcam.network.families.structure.layers import UnreadableError, read_units
from napari_segcam.network.families.structure.offer import StructureOffered
from napari_segcam.network.families.structure.parts import read_parts
from napari_segcam.network.families.structure.search import find_wirings
from napari_segcam.network.families.structure.trial import build_module
from napari_segcam.network.loading import load_network, save_card
from napari_segcam.network.model_card import find_card, make_card, write_card
from napari_segcam.network.network import Network

CONFIG = UNetConfig(
    widths=(8, 12, 20),
    in_channels=1,
    classes=2,
    block="double",
    norm="batch",
    bias=False,
    activation="elu",
    pooling="average",
    up="direct_nearest",
    concatenation="skip_last",
    join="concat",
    gates=False,
    words=3,
    layout="shallow_first",
    head_kernel=1,
)


@pytest.fixture(scope="module")
def frames() -> torch.Tensor:
    cine = open_cine(sample_cine())
    pixels = [torch.from_numpy(np.asarray(cine[index], dtype=np.float32)) for index in range(0, len(cine), 9)]
    stack = torch.stack([frame if frame.ndim == 2 else frame.mean(-1) for frame in pixels])[:, None] / 255
    return nn.functional.interpolate(stack, (96, 96), mode="bilinear", antialias=True)[:, 0]


@pytest.fixture(scope="module")
def unet(frames: torch.Tensor) -> GeneratedUNet:
    return generated(CONFIG, frames, seed=3)


@pytest.fixture
def file(unet: GeneratedUNet, tmp_path: Path) -> Path:
    torch.save(unet.state_dict(), tmp_path / "unet.pth")
    return tmp_path / "unet.pth"


@pytest.fixture(scope="module")
def accepted(unet: GeneratedUNet, tmp_path_factory: pytest.TempPathFactory) -> Network:
    path = tmp_path_factory.mktemp("accepted") / "unet.pth"
    torch.save(unet.state_dict(), path)
    return load_network(path, "cpu", accept_structure=True)


def outputs(unet: nn.Module, module: nn.Module, channels: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    image = torch.rand(2, channels, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return unet(image), module(image)


@pytest.mark.slow
def test_nothing_is_used_silently(file: Path) -> None:
    with pytest.raises(StructureOffered) as raised:
        load_network(file, "cpu")
    offer = raised.value.offer
    assert offer.best.assumptions["pooling"] == "average"
    assert offer.best.assumptions["activation"] == "elu"
    assert offer.best.assumptions["upsampling"] == "nearest"
    assert offer.best.assumptions["concatenation"] == "skip last"
    assert offer.best.disagreement is not None
    assert offer.best.disagreement < 0.01
    for words in ("3 levels (8-12-20 channels)", "2 outputs", "pooling average", "--accept-structure", "--check"):
        assert words in str(raised.value)


def test_what_was_accepted_is_the_original_and_is_kept(file: Path, unet: GeneratedUNet, accepted: Network) -> None:
    network = accepted
    torch.testing.assert_close(*outputs(unet, network.module), rtol=1e-4, atol=1e-5)
    assert network.assumed["pooling"] == "average"
    assert [stage.name for stage in network.stages if stage.kind == "encoder"] == [
        "encoder_1",
        "encoder_2",
        "encoder_3",
    ]
    assert [(stage.name, stage.stride) for stage in network.stages if stage.kind == "decoder"] == [
        ("decoder_1", 2),
        ("decoder_2", 1),
    ]
    save_card(network, file)
    again = load_network(file, "cpu")
    torch.testing.assert_close(*outputs(unet, again.module), rtol=1e-4, atol=1e-5)


def test_a_card_for_other_weights_does_not_count(file: Path, unet: GeneratedUNet, accepted: Network) -> None:
    save_card(accepted, file)
    weights = unet.state_dict()
    weights["ausgang.bias"] = weights["ausgang.bias"] + 1
    torch.save(weights, file)
    with pytest.raises(StructureOffered):
        load_network(file, "cpu")


def test_a_card_with_another_structure_is_refused(file: Path, accepted: Network) -> None:
    path = save_card(accepted, file)
    card = find_card(file)
    assert card is not None
    assert card.structure is not None
    write_card(make_card({"structure": {**card.structure, "wiring": "00000000"}}, card), path, force=True)
    with pytest.raises(SegcamError, match="not one that these weights can have"):
        load_network(file, "cpu")
    write_card(make_card({"structure": {**card.structure, "pooling": "median"}}, card), path, force=True)
    with pytest.raises(SegcamError, match="pooling is 'median', but may be max, average, stride, max_3x3"):
        load_network(file, "cpu")


def test_an_option_changes_what_was_accepted(file: Path, unet: GeneratedUNet, accepted: Network) -> None:
    save_card(accepted, file)
    network = load_network(file, "cpu", options={"pooling": "max"})
    expected, changed = outputs(unet, network.module)
    assert not torch.allclose(expected, changed, atol=1e-3)


@pytest.mark.slow
def test_a_saved_output_chooses_where_nothing_else_decides(frames: torch.Tensor, tmp_path: Path) -> None:
    config = replace(CONFIG, norm="none", bias=True, activation="relu", pooling="average", concatenation="skip_first")
    unet = generated(config, frames, seed=4)
    file = tmp_path / "plain.pth"
    torch.save(unet.state_dict(), file)
    with pytest.raises(StructureOffered, match="no batch-norm statistics") as raised:
        load_network(file, "cpu")
    assert not raised.value.offer.is_sure
    assert {"pooling", "activation", "upsampling", "concatenation"} <= set(raised.value.offer.open_assumptions)
    image = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        saved = unet(image).softmax(1)
    np.save(tmp_path / "input.npy", image.numpy())
    np.save(tmp_path / "output.npy", saved.numpy())
    np.save(tmp_path / "wrong.npy", saved.numpy()[:, ::-1])
    network = load_network(file, "cpu", check=(tmp_path / "input.npy", tmp_path / "output.npy"))
    torch.testing.assert_close(*outputs(unet, network.module), rtol=1e-4, atol=1e-5)
    assert network.card.verified is not None
    assert "pooling" not in network.assumed
    with pytest.raises(SegcamError, match=r"none of the \d+ structures that were tried reproduces"):
        load_network(file, "cpu", check=(tmp_path / "input.npy", tmp_path / "wrong.npy"))


@pytest.mark.slow
@pytest.mark.parametrize("block", ["double", "residual"])
def test_norms_without_weights_are_assumed_where_convolutions_have_no_bias(
    block: str, frames: torch.Tensor, tmp_path: Path
) -> None:
    config = replace(CONFIG, norm="instance_without_weights", block=block, activation="relu", pooling="max")
    unet = generated(replace(config, up="bilinear_3", concatenation="skip_first"), frames, seed=4)
    torch.save(unet.state_dict(), tmp_path / "unet.pth")
    with pytest.raises(StructureOffered, match="instance norms are assumed") as raised:
        load_network(tmp_path / "unet.pth", "cpu")
    offer = raised.value.offer
    assert not offer.is_sure
    assert "norm" in offer.open_assumptions
    if block == "double":
        assert "The file decides none of these." in str(raised.value)
    assert [candidate.assumptions["norm"] for candidate in offer.candidates[:2]] == ["instance", "none"]
    network = load_network(tmp_path / "unet.pth", "cpu", accept_structure=True)
    torch.testing.assert_close(*outputs(unet, network.module), rtol=1e-4, atol=1e-4)
    other = load_network(tmp_path / "unet.pth", "cpu", accept_structure=2)
    assert not torch.allclose(*outputs(unet, other.module), atol=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(("norm", "bias"), [("instance_without_weights", True), ("none", False)])
def test_a_saved_output_shows_whether_there_are_norms_without_weights(
    norm: str, bias: bool, frames: torch.Tensor, tmp_path: Path
) -> None:
    config = replace(CONFIG, norm=norm, bias=bias, activation="relu", pooling="max", up="transposed_2")
    unet = generated(config, frames, seed=4)
    torch.save(unet.state_dict(), tmp_path / "unet.pth")
    image = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        saved = unet(image)
    np.save(tmp_path / "input.npy", image.numpy())
    np.save(tmp_path / "output.npy", saved.numpy())
    network = load_network(tmp_path / "unet.pth", "cpu", check=(tmp_path / "input.npy", tmp_path / "output.npy"))
    assert network.card.structure is not None
    assert network.card.structure["norm"] == norm.partition("_")[0]
    torch.testing.assert_close(*outputs(unet, network.module), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_pooling_of_windows_that_overlap_is_seen(frames: torch.Tensor, tmp_path: Path) -> None:
    unet = generated(replace(CONFIG, pooling="max_3x3", activation="relu"), frames, seed=3)
    torch.save(unet.state_dict(), tmp_path / "unet.pth")
    network = load_network(tmp_path / "unet.pth", "cpu", accept_structure=True)
    assert network.assumed["pooling"] == "max_3x3"
    torch.testing.assert_close(*outputs(unet, network.module), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_distance_that_is_not_small_is_called_no_proof(unet: GeneratedUNet, tmp_path: Path) -> None:
    weights = unet.state_dict()
    for name in weights:
        if name.endswith("running_var"):
            weights[name] = weights[name] * 1.3
    torch.save(weights, tmp_path / "unet.pth")
    with pytest.raises(StructureOffered, match=r"are close to the stored .* That is no proof") as raised:
        load_network(tmp_path / "unet.pth", "cpu")
    assert not raised.value.offer.is_sure


def test_the_last_convolution_that_enlarges_makes_logits_without_activation() -> None:
    torch.manual_seed(0)
    weights = {
        name: torch.randn(shape)
        for name, shape in {
            "a.weight": (4, 1, 3, 3),
            "b.weight": (6, 4, 3, 3),
            "c.weight": (8, 6, 3, 3),
            "d.weight": (8, 6, 2, 2),
            "e.weight": (6, 12, 3, 3),
            "f.weight": (6, 1, 2, 2),
        }.items()
    }
    wiring = next(wiring for wiring in find_wirings(read_parts(weights)) if wiring.ups[-1] == "up_transposed")
    choices = replace(default_choices(wiring), up_activation="yes")
    with torch.no_grad():
        output = build_module(wiring, choices, weights)(torch.rand(1, 1, 16, 16))
    assert float(output.min()) < 0


@pytest.mark.parametrize("block", ["single", "triple", "residual", "separable"])
@pytest.mark.parametrize("up", ["transposed_2", "bilinear_3", "direct_nearest"])
@pytest.mark.parametrize("layout", ["in_turn", "lists", "shallow_first"])
def test_blocks_are_connected_as_they_are(block: str, up: str, layout: str) -> None:
    config = replace(CONFIG, block=block, up=up, layout=layout, widths=(8, 16, 32, 64))
    wiring = find_wirings(read_parts(GeneratedUNet(config).state_dict()))[0]
    assert wiring.levels == 4
    assert wiring.joins == ("concat", "concat", "concat")
    decoder = [step for step in wiring.steps if step.kind == "concat" or step.part is not None]
    first_after_concat = [
        wiring.parts[after.part].units[0].layer.name.partition(".")[0]
        for step, after in pairwise(decoder)
        if step.kind == "concat" and after.part is not None
    ]
    assert first_after_concat == ["aufstieg2", "aufstieg1", "aufstieg0"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NOT_UNETS)
def test_other_networks_are_not_offered_as_sure(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.save(NOT_UNETS[name]().state_dict(), tmp_path / "other.pth")
    with pytest.raises(SegcamError) as raised:
        load_network(tmp_path / "other.pth", "cpu")
    if isinstance(raised.value, StructureOffered):
        assert not raised.value.offer.is_sure


def test_layers_that_no_unet_has_are_named() -> None:
    with pytest.raises(UnreadableError, match="cls_token is no tensor"):
        read_units({"cls_token": torch.zeros(1, 1, 8)})
    with pytest.raises(UnreadableError, match="attn is neither"):
        read_units({"attn.weight": torch.zeros(3, 4, 5)})
