"""Networks of well-known repositories are recognized by their weights, and rebuilt with bit-equal output."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import written_concat as concat
import written_others as others
import written_unets as unets
from network_cases import CASES, Case
from safetensors.torch import save_file
from torch.nn import functional

from napari_segcam.errors import SegcamError
from napari_segcam.network.checkpoints.checkpoint import Checkpoint, read_checkpoint
from napari_segcam.network.families.recognition import build, recognize
from napari_segcam.network.loading import load_network
from napari_segcam.network.network import Network

Weights = dict[str, torch.Tensor]


def save(weights: Weights, container: str, folder: Path) -> Path:
    """Save weights as training code does."""
    path = folder / "model.pth"
    match container:
        case "bare":
            torch.save(weights, path)
        case "training":
            parallel = {f"module.{name}": tensor for name, tensor in weights.items()}
            torch.save({"epoch": 3, "model_state_dict": parallel, "optimizer": {"state": {}}}, path)
        case "lightning":
            inner = {f"model.{name}": tensor for name, tensor in weights.items()}
            torch.save({"state_dict": inner | {"criterion.weight": torch.ones(2)}, "epoch": 3}, path)
        case "safetensors":
            path = path.with_suffix(".safetensors")
            save_file({name: tensor.contiguous() for name, tensor in weights.items()}, path)
    return path


def load(weights: Weights, folder: Path, container: str = "bare", **options: Any) -> Network:
    return load_network(save(weights, container, folder), "cpu", rewrite=False, **options)


def assert_near(logits: torch.Tensor, expected: torch.Tensor) -> None:
    """Assert equality but for the last digits, which the layout in memory changes."""
    torch.testing.assert_close(logits, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


@torch.no_grad()
def logits_of(network: Network, image: torch.Tensor) -> torch.Tensor:
    return network.module(image)


FIRST_OF_EACH = {case.title: name for name, case in reversed(CASES.items())}


@pytest.mark.parametrize(
    ("name", "container"),
    [
        (name, container)
        for name in CASES
        for container in ("bare", "training", "lightning", "safetensors")
        if container == "bare" or name in FIRST_OF_EACH.values()
    ],
)
def test_network_is_recognized_and_equal_to_its_definition(name: str, container: str, tmp_path: Path) -> None:
    case = CASES[name]
    weights, image, logits = case.written()
    checkpoint = read_checkpoint(save(weights, container, tmp_path))
    spec = recognize(checkpoint)
    assert (spec.title, spec.in_channels, spec.classes) == (case.title, case.channels, logits.shape[1])
    with torch.no_grad():
        output = build(spec, checkpoint)(image)
    if isinstance(output, dict):
        assert spec.card is not None
        output = output[spec.card.output]
    # Some networks end in a sigmoid.
    assert torch.equal(output, logits) or torch.equal(output, torch.sigmoid(logits))
    assert float(logits.std()) > 0.01  # not the same everywhere


@pytest.mark.slow
@pytest.mark.parametrize("name", FIRST_OF_EACH.values())
def test_loaded_network_has_its_logits_and_stages(name: str, tmp_path: Path) -> None:
    weights, image, logits = CASES[name].written()
    network = load(weights, tmp_path)
    assert (network.architecture, network.classes) == (CASES[name].title, logits.shape[1])
    assert_near(logits_of(network, image), logits)
    encoder = [stage.stride for stage in network.stages if stage.kind == "encoder"]
    decoder = [stage.stride for stage in network.stages if stage.kind == "decoder"]
    assert encoder == sorted(encoder)
    assert len(encoder) >= 3
    assert decoder
    assert max(decoder) <= encoder[-1]
    assert decoder[-1] == min(decoder) <= encoder[-1]
    assert (network.stages[-1].name, network.stages[-1].channels) == ("seg_head", logits.shape[1])


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_missing_weight_another_head_and_odd_sizes_are_refused(name: str) -> None:
    weights, _, _ = CASES[name].written()
    names = [name for name in weights if not name.endswith("num_batches_tracked")]
    kernels = [key for key, value in weights.items() if value.ndim == 4]
    kernel = next((key for key in reversed(kernels) if weights[key].shape[-1] == 3), kernels[-1])
    outputs, inputs, *size = weights[kernel].shape
    near_misses = [
        {key: value for key, value in weights.items() if key != left_out} for left_out in names[:: len(names) // 4]
    ]
    for odd in (
        {"aux_head.weight": torch.zeros(2, 8, 1, 1)},
        {kernel: torch.zeros(outputs, inputs, 5, 5)},
        {kernel: torch.zeros(outputs, inputs + 1, *size)},
    ):
        near_misses.append(weights | odd)
    for near_miss in near_misses:
        with pytest.raises(SegcamError):
            recognize(Checkpoint(Path("model.pth"), near_miss, "", {}))


def test_the_refusal_counts_what_differs_from_the_nearest_network(tmp_path: Path) -> None:
    weights, _, _ = CASES["milesial"].written()
    del weights["up2.conv.double_conv.3.bias"]
    weights |= {"aux.weight": torch.zeros(2, 8, 1, 1)}
    with pytest.raises(SegcamError, match=r"milesial.*1 missing \(up2\.conv.*1 unexpected \(aux\.weight\)"):
        load(weights, tmp_path)


def test_the_number_of_recurrent_steps_is_assumed_and_can_be_set(tmp_path: Path) -> None:
    case = Case("", unets.leejunhyun, 1, (4, 6, 8), 2, recurrent=3)
    weights, image, logits = case.written()
    network = load(weights, tmp_path)
    assert network.assumed["t"] == "2"
    assert not torch.allclose(logits_of(network, image), logits, atol=1e-2)
    network = load(weights, tmp_path, options={"t": 3})
    assert "t" not in network.assumed
    assert_near(logits_of(network, image), logits)
    with pytest.raises(SegcamError, match="t is a whole number"):
        load(weights, tmp_path, options={"t": 0})


def test_pooling_and_padding_are_assumed_where_the_repository_has_several(tmp_path: Path) -> None:
    average = partial(functional.avg_pool2d, kernel_size=2)
    case = Case("", others.jvanvugt, 1, (4, 6, 8), 2, norm=True, transposed=True, shrink=average)
    weights, image, logits = case.written()
    assumed = load(weights, tmp_path).assumed
    assert (assumed["pooling"], assumed["padding"]) == ("max", "True")
    assert_near(logits_of(load(weights, tmp_path, options={"pooling": "average"}), image), logits)
    with pytest.raises(SegcamError, match="smaller than the image"):
        load(weights, tmp_path, options={"padding": False})


def test_the_last_output_of_deep_supervision_is_read_and_others_can_be_chosen(tmp_path: Path) -> None:
    weights, image, logits = CASES["nested, deep"].written()
    network = load(weights, tmp_path)
    assert network.output.name == "output4"
    assert network.output.choices == ("output1", "output2", "output3", "output4")
    assert_near(logits_of(network, image), logits)
    other = load(weights, tmp_path, output="output1")
    assert not torch.allclose(logits_of(other, image), logits, atol=1e-2)
    assert other.stage("seg_head").layer == "final1"


def test_the_stages_of_a_nested_network_are_its_nodes(tmp_path: Path) -> None:
    weights, _, _ = CASES["nested, deep"].written()
    network = load(weights, tmp_path)
    stages = {stage.name: (stage.stride, stage.channels, stage.layer) for stage in network.stages}
    assert len(stages) == 5 + 10 + 1
    assert stages["encoder_5"] == (16, 11, "conv4_0")
    assert stages["decoder_conv1_2"] == (2, 5, "conv1_2")
    assert stages["seg_head"] == (1, 3, "final4")
    main = [stage.layer for stage in network.select("main") if stage.kind == "decoder"]
    assert main == ["conv3_1", "conv2_2", "conv1_3", "conv0_4"]


def test_the_published_normalization_is_an_assumption_until_the_card_sets_it(tmp_path: Path) -> None:
    weights, _, _ = CASES["milesial"].written()
    network = load(weights, tmp_path)
    assert (network.card.normalization, network.assumed["normalization"]) == ("unit", "unit")
    (tmp_path / "model.segcam.yaml").write_text("normalization: zscore\n")
    network = load(weights, tmp_path)
    assert network.card.normalization == "zscore"
    assert "normalization" not in network.assumed


@pytest.mark.slow
def test_the_published_size_is_an_assumption_until_the_card_sets_it(tmp_path: Path) -> None:
    weights, _, _ = CASES["U²-Net"].written()
    network = load(weights, tmp_path)
    assert (network.card.size.fixed, network.assumed["size"]) == ((320, 320), "resize to 320×320")
    (tmp_path / "model.segcam.yaml").write_text("size: {rule: pad}\n")
    network = load(weights, tmp_path)
    assert network.card.size.rule == "pad"
    assert "size" not in network.assumed


def test_a_network_for_images_of_one_size_says_so_on_its_card(tmp_path: Path) -> None:
    weights, image, logits = CASES["TransUNet, small"].written()
    network = load(weights, tmp_path)
    assert network.card.size.fixed == (64, 64)
    assert network.assumed["num_heads"] == "12"
    other = load(weights, tmp_path, options={"num_heads": 4})
    assert not torch.allclose(logits_of(other, image), logits, atol=1e-3)


def test_the_dilations_of_deeplab_are_assumed_and_can_be_set(tmp_path: Path) -> None:
    weights, image, logits = CASES["DeepLabV3+"].written()
    assert load(weights, tmp_path).assumed["output_stride"] == "16"
    other = load(weights, tmp_path, options={"output_stride": 8})
    assert other.stage("encoder_5").stride == 8
    assert not torch.allclose(logits_of(other, image), logits, atol=1e-3)
    with pytest.raises(SegcamError, match="output_stride is 8 or 16"):
        load(weights, tmp_path, options={"output_stride": 4})


def test_the_heads_that_are_averaged_are_assumed_and_can_be_set(tmp_path: Path) -> None:
    case = Case("", concat.concat_nested, 1, (4, 5, 6, 7, 8), 2, mean=False)
    weights, image, logits = case.written()
    assert load(weights, tmp_path).assumed["is_ds"] == "True"
    assert_near(logits_of(load(weights, tmp_path, options={"is_ds": False}), image), logits)


def test_a_missing_mask_of_shifted_windows_is_refused() -> None:
    weights, _, _ = CASES["Swin-Unet"].written()
    masks = [name for name in weights if name.endswith("attn_mask")]
    assert len(masks) == 6
    for left_out in masks:
        rest = {name: value for name, value in weights.items() if name != left_out}
        with pytest.raises(SegcamError):
            recognize(Checkpoint(Path("model.pth"), rest, "", {}))


def test_images_of_any_size_run_as_in_the_original(tmp_path: Path) -> None:
    weights, _, _ = CASES["milesial"].written()
    odd = torch.rand(1, 3, 71, 93, generator=torch.Generator().manual_seed(2))
    assert logits_of(load(weights, tmp_path), odd).shape == (1, 2, 71, 93)
