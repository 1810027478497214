"""Programs of torch.export give the same results as in torch, and hooks work on their operations by name."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from made_files import entries_of, exported, saved, small_network, zipped
from torch import nn

import napari_segcam as sc
from napari_segcam.errors import SegcamError
from napari_segcam.network.checkpoints.checkpoint import read_checkpoint
from napari_segcam.network.model_card import ModelCard, SizeRule


@pytest.fixture(scope="module")
def fixed() -> bytes:
    return exported(small_network())


@pytest.fixture(scope="module")
def flexible() -> bytes:
    return exported(small_network(), any_size=True)


def _written(content: bytes, folder: Path) -> Path:
    (folder / "model.pth").write_bytes(content)  # the content decides the format, not the name
    return folder / "model.pth"


def test_the_results_are_exactly_those_of_torch(fixed: bytes, tmp_path: Path) -> None:
    checkpoint = read_checkpoint(_written(fixed, tmp_path))
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected = torch.export.load(io.BytesIO(fixed)).module()(image)
        assert torch.equal(checkpoint.module(image), expected)
        assert torch.equal(expected, small_network()(image))
    assert checkpoint.form == "exported"
    assert checkpoint.module.image_size == (64, 64)


def test_a_program_for_any_size_runs_on_any_size(flexible: bytes, tmp_path: Path) -> None:
    module = read_checkpoint(_written(flexible, tmp_path)).module
    assert module.image_size is None
    for shape in [(1, 3, 64, 64), (3, 3, 96, 160)]:
        image = torch.randn(shape)
        with torch.no_grad():
            assert torch.equal(module(image), small_network()(image))


def test_frames_run_in_tiles_where_the_card_keeps_their_pixels(fixed: bytes, tmp_path: Path) -> None:
    network = sc.load_network(_written(fixed, tmp_path), card=ModelCard(size=SizeRule(rule="pad")))
    assert (network.card.size.rule, network.card.size.fixed) == ("tiles", (64, 64))
    frame = np.random.default_rng(0).integers(0, 256, (100, 90), np.uint8)
    tiles = sc.Explainer(network)(frame).provenance["tiles"]
    assert (tiles["count"], tiles["height"], tiles["width"]) == (6, 64, 64)


def test_frames_are_resized_for_a_program_of_one_size(fixed: bytes, tmp_path: Path) -> None:
    network = sc.load_network(_written(fixed, tmp_path))
    assert (network.card.size.rule, network.card.size.height, network.card.size.width) == ("resize", 64, 64)
    frame = np.random.default_rng(0).integers(0, 255, (50, 70)).astype(np.uint8)
    assert sc.Explainer(network, stages=[])(frame).mask.shape == (50, 70)
    with pytest.raises(ValueError, match="images of 3×64×64 only"):
        network.module(torch.zeros(1, 3, 32, 32))


def _operations(network: sc.Network) -> dict[str, str]:
    return {name: str(layer.operation) for name, layer in network.module.named_children()}


def test_grad_cam_of_a_node_equals_grad_cam_of_the_layer(flexible: bytes, tmp_path: Path) -> None:
    program, module = sc.load_network(_written(flexible, tmp_path)), sc.Network.from_module(small_network())
    node = [name for name, operation in _operations(program).items() if "relu" in operation][1]
    frame = np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8)
    target = sc.Target(class_index=1, region="image")
    by_node = sc.Explainer(program, stages=[node])(frame, target).heatmaps[node].values
    by_layer = sc.Explainer(module, stages=["deep"])(frame, target).heatmaps["deep"].values
    assert by_node.shape == (16, 16)
    assert by_node.max() > 0
    np.testing.assert_allclose(by_node, by_layer, rtol=1e-4, atol=1e-6 * by_layer.max())


def test_stages_are_found_from_the_sizes_of_the_maps(flexible: bytes, tmp_path: Path) -> None:
    network = sc.load_network(_written(flexible, tmp_path))
    assert [(stage.name, stage.stride) for stage in network.stages] == [
        ("encoder_1", 2),
        ("encoder_2", 4),
        ("decoder_1", 2),
        ("seg_head", 2),
    ]


def test_the_message_about_an_unknown_node_lists_the_closest(flexible: bytes, tmp_path: Path) -> None:
    network = sc.load_network(_written(flexible, tmp_path))
    with pytest.raises(SegcamError, match=r"conv2d_9.*Closest: conv2d"):
        sc.Explainer(network, stages=["conv2d_9"])


@pytest.mark.parametrize("activation", [nn.Sigmoid(), nn.Softmax(1)])
def test_a_final_activation_is_left_out_with_a_warning(activation: nn.Module, tmp_path: Path) -> None:
    network = sc.load_network(_written(exported(nn.Sequential(small_network(), activation)), tmp_path))
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(network.module(image), small_network()(image), atol=1e-5)
    assert any("which is left out" in warning for warning in network.warnings)


@pytest.mark.parametrize("name", ["channels", "image_size", "output_names", "forward", "training", "_steps", "relu.1"])
def test_operations_and_weights_may_have_any_name(fixed: bytes, tmp_path: Path, name: str) -> None:
    entries = {key.partition("/")[2]: content for key, content in entries_of(fixed).items()}
    program = entries["models/model.json"]
    for former in (b'"relu_"', b'"p_down_0_weight"'):
        assert former in program
    renamed = program.replace(b'"relu_"', f'"{name}"'.encode()).replace(b'"p_down_0_weight"', f'"{name}_w"'.encode())
    renamed = renamed.replace(b'"p_down_0_bias"', b'"operation"')
    content = zipped({f"model/{key}": renamed if key == "models/model.json" else entries[key] for key in entries})
    module = read_checkpoint(_written(content, tmp_path)).module
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(module(image), small_network()(image))


def test_a_program_may_have_attention_and_lists_of_tensors(tmp_path: Path) -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
            self.register_buffer("scale", torch.arange(4), persistent=False)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            channels = [channel.mean(1) for channel in image.chunk(3, 1)]
            tokens = torch.stack([*channels, channels[0]], 1).flatten(2).mT * self.scale
            values, _ = self.attention(tokens, tokens, tokens)
            return values.mT.unflatten(2, image.shape[-2:])

    network = Attention().eval()
    module = read_checkpoint(_written(exported(network, 16), tmp_path)).module
    image = torch.randn(1, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(module(image), network(image))


def test_the_format_of_earlier_versions_is_read(fixed: bytes, tmp_path: Path) -> None:
    """Before torch 2.8, the program and the pickled tensors are separate entries."""
    entries = {name.partition("/")[2]: content for name, content in entries_of(fixed).items()}
    network = small_network()
    former = {
        "serialized_exported_program.json": entries["models/model.json"],
        "serialized_state_dict.pt": saved(network.state_dict()),
        "serialized_constants.pt": saved({}),
        "version": b"7.3",
    }
    module = read_checkpoint(_written(zipped(former), tmp_path)).module
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(module(image), network(image))


def test_a_network_in_training_mode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SegcamError, match=r"model\.eval\(\)"):
        read_checkpoint(_written(exported(small_network().train()), tmp_path))


def test_a_network_of_two_images_is_refused(tmp_path: Path) -> None:
    class TwoInputs(nn.Module):
        def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
            return first + second

    buffer = io.BytesIO()
    torch.export.save(torch.export.export(TwoInputs(), (torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8))), buffer)
    with pytest.raises(SegcamError, match="takes 2 inputs"):
        read_checkpoint(_written(buffer.getvalue(), tmp_path))


@pytest.mark.slow
def test_a_network_of_smp_has_its_stages(tmp_path: Path) -> None:
    torch.manual_seed(0)
    unet = smp.Unet("resnet18", encoder_weights=None, decoder_channels=(8, 8, 4, 4, 4)).eval()
    network = sc.load_network(_written(exported(unet), tmp_path), "cpu")
    assert [stage.stride for stage in network.stages] == [2, 4, 8, 16, 32, 16, 8, 4, 2, 1, 1]
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(network.module(image), unet(image), atol=1e-4)
