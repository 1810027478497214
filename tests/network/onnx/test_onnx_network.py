"""Networks from ONNX files: the same masks, stages and heatmaps as in torch, and onnxruntime where torch cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from torch import nn

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper  # noqa: E402
from onnx_models import exported, model_of, saved, small_segmenter  # noqa: E402

import napari_segcam as sc  # noqa: E402
from napari_segcam.errors import SegcamError  # noqa: E402
from napari_segcam.network.onnx.onnx_network import OnnxNetwork  # noqa: E402
from napari_segcam.network.onnx.runtime_network import RuntimeNetwork  # noqa: E402
from napari_segcam.network.onnx.smp_encoder import given_features  # noqa: E402

FRAME = (np.random.default_rng(1).random((64, 64)) ** 2 * 255).astype(np.uint8)
REGION = np.zeros((64, 64), bool)
REGION[10:40, 20:50] = True


def trained_like(module: nn.Module, channels: int = 3) -> nn.Module:
    torch.manual_seed(0)
    module.train()
    with torch.no_grad():
        for _ in range(8):
            module(torch.rand(4, channels, 64, 64))
    return module.eval()


def heatmaps(network: sc.Network, stages: list[str]) -> dict[str, Any]:
    result = sc.Explainer(network, method="gradcam", stages=stages)(FRAME, sc.Target(class_index=1, region=REGION))
    return {name: heatmap.values for name, heatmap in result.heatmaps.items()}


@pytest.fixture(scope="module")
def unet() -> nn.Module:
    torch.manual_seed(0)
    return trained_like(smp.Unet("resnet18", encoder_weights=None, classes=2, decoder_channels=(32, 16, 16, 8, 8)))


@pytest.mark.slow
@pytest.mark.parametrize("dynamo", [False, True])
def test_exported_smp_network_has_the_stages_and_heatmaps_of_the_original(
    unet: nn.Module, tmp_path: Path, dynamo: bool
) -> None:
    options: dict[str, Any] = {"dynamo": True, "opset_version": 20, "verbose": False} if dynamo else {}
    network = sc.load_network(exported(unet, tmp_path / "unet.onnx", **options), "cpu")
    original = sc.Network.from_module(unet, None, "cpu")
    assert isinstance(network.module, OnnxNetwork)
    assert [(stage.name, stage.stride, stage.channels) for stage in network.stages] == [
        (stage.name, stage.stride, stage.channels) for stage in original.stages
    ]
    names = [stage.name for stage in original.select("main")]
    assert len(names) == 10
    ours, theirs = heatmaps(network, names), heatmaps(original, names)
    for name in names:
        assert np.corrcoef(ours[name].ravel(), theirs[name].ravel())[0, 1] > 0.9999, name
    # The layers have the names that they have in torch.
    assert network.stage("encoder.layer2.0").channels == 128


@pytest.mark.slow
def test_feature_maps_that_the_decoder_does_not_take_are_stages_too(tmp_path: Path) -> None:
    module = trained_like(smp.DeepLabV3("resnet18", encoder_weights=None, classes=2, decoder_channels=16))
    network = sc.load_network(exported(module, tmp_path / "deeplab.onnx"), "cpu")
    original = sc.Network.from_module(module, None, "cpu")
    wanted = [(stage.name, stage.layer) for stage in original.stages if stage.kind == "encoder"]
    assert [(stage.name, stage.layer) for stage in network.stages if stage.kind == "encoder"] == wanted
    ours, theirs = (heatmaps(one, [name for name, _ in wanted]) for one in (network, original))
    for name, _ in wanted:
        assert np.corrcoef(ours[name].ravel(), theirs[name].ravel())[0, 1] > 0.999, name


@pytest.mark.slow
def test_file_with_a_fixed_size_is_fed_that_size_one_frame_at_a_time(unet: nn.Module, tmp_path: Path) -> None:
    network = sc.load_network(exported(unet, tmp_path / "unet.onnx"), "cpu")
    assert network.card.size.fixed == (64, 64)
    assert network.one_frame_at_a_time
    assert not network.warnings[1:]  # only that it is not known whether the classes overlap


@pytest.mark.slow
def test_file_with_open_sides_takes_any_size(unet: nn.Module, tmp_path: Path) -> None:
    axes = {"x": {0: "batch", 2: "height", 3: "width"}}
    path = exported(unet, tmp_path / "unet.onnx", input_names=["x"], output_names=["y"], dynamic_axes=axes)
    network = sc.load_network(path, "cpu")
    assert network.card.size.fixed is None
    assert not network.one_frame_at_a_time
    x = torch.rand(2, 3, 96, 160)
    with torch.no_grad():
        assert torch.allclose(network.module(x), unet(x), atol=1e-4)


@pytest.mark.parametrize("opset", [11, 13, 18])
def test_versions_of_the_operators(tmp_path: Path, opset: int) -> None:
    module = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.InstanceNorm2d(8, affine=True),
        nn.LeakyReLU(0.01),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.GroupNorm(4, 16),
        nn.GELU(),
        nn.ConvTranspose2d(16, 8, 2, 2),
        nn.Hardswish(),
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
        nn.AvgPool2d(2),
        nn.Conv2d(8, 2, 1),
    ).eval()
    network = sc.load_network(exported(module, tmp_path / "n.onnx", channels=1, opset_version=opset), "cpu")
    assert isinstance(network.module, OnnxNetwork)
    x = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        assert torch.allclose(network.module(x), module(x), atol=1e-4)


def test_graph_without_modules_gets_its_stages_from_the_sizes_of_its_maps(tmp_path: Path) -> None:
    network = sc.load_network(saved(small_segmenter(), tmp_path / "n.onnx"), "cpu")
    assert [(stage.name, stage.layer) for stage in network.stages] == [
        ("encoder_1", "first_relu"),
        ("encoder_2", "second_relu"),
        ("decoder_1", "both"),
        ("seg_head", "head"),
    ]
    assert set(heatmaps(network, ["encoder_1", "encoder_2", "decoder_1"])) == {"encoder_1", "encoder_2", "decoder_1"}


@pytest.mark.parametrize("method", ["gradcam++", "layercam", "hirescam", "eigencam", "scorecam", "ablationcam"])
def test_all_kinds_of_methods(tmp_path: Path, method: str) -> None:
    network = sc.load_network(saved(small_segmenter(), tmp_path / "n.onnx"), "cpu")
    result = sc.Explainer(network, method=method, stages=["encoder_2"])(FRAME, sc.Target(class_index=1, region=REGION))
    assert result.heatmaps["encoder_2"].values.any()


@pytest.mark.parametrize(("last", "activation"), [("Sigmoid", "sigmoid"), ("Softmax", "softmax")])
def test_final_activation_is_left_out(tmp_path: Path, last: str, activation: str) -> None:
    plain = sc.load_network(saved(small_segmenter(), tmp_path / "plain.onnx"), "cpu")
    network = sc.load_network(saved(small_segmenter(last), tmp_path / "n.onnx"), "cpu")
    assert network.output.activation == activation
    x = torch.rand(1, 3, 64, 64)
    assert torch.allclose(network.module(x), plain.module(x), atol=1e-6)


def test_scores_are_read_where_the_file_returns_class_indices(tmp_path: Path) -> None:
    plain = sc.load_network(saved(small_segmenter(), tmp_path / "plain.onnx"), "cpu")
    network = sc.load_network(saved(small_segmenter("ArgMax"), tmp_path / "n.onnx"), "cpu")
    assert any("index of the class" in warning for warning in network.warnings)
    x = torch.rand(1, 3, 64, 64)
    assert torch.equal(network.module(x), plain.module(x))


def test_channels_last_and_bytes(tmp_path: Path) -> None:
    """A graph as converters from Keras write it: bytes with the channels last, scaled in the graph."""
    weight = np.random.default_rng(0).normal(size=(2, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["x"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["real", "factor"], ["unit"]),
        helper.make_node("Transpose", ["unit"], ["first"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["first", "w"], ["maps"], pads=[1, 1, 1, 1]),
        helper.make_node("Transpose", ["maps"], ["y"], perm=[0, 2, 3, 1]),
    ]
    constants = {"factor": np.float32(1 / 255), "w": weight}
    model = model_of(nodes, constants, (None, 32, 48, 3), image_type=TensorProto.UINT8)
    network = sc.load_network(saved(model, tmp_path / "n.onnx"), "cpu")
    assert network.card.normalization == "none"
    assert "normalization" not in network.assumed
    assert network.card.size.fixed == (32, 48)
    image = torch.randint(0, 256, (1, 3, 32, 48)).float()
    expected = nn.functional.conv2d(image / 255, torch.from_numpy(weight), padding=1)
    assert torch.allclose(network.module(image), expected, atol=1e-5)
    # What is between two bytes is rounded, but has a gradient.
    image = (image + 0.3).requires_grad_()
    scores = network.module(image)
    assert torch.allclose(scores, expected, atol=1e-5)
    assert torch.autograd.grad(scores.sum(), image)[0].any()


def unknown_operator(name: str = "Sigmoid") -> Any:
    """A segmenter with an operator that is not available in torch here, and then a sigmoid."""
    model = small_segmenter(name)
    head = model.graph.node[-2]
    head.output[0] = "raw"
    node = helper.make_node("Hardmax", ["raw"], ["hard"], name="the_hard_one", axis=3)
    add = helper.make_node("Add", ["raw", "hard"], ["scores"], name="sum")
    last = model.graph.node.pop()
    model.graph.node.extend([node, add, last])
    return model


def test_missing_operator_leaves_masks_and_occlusion_with_onnxruntime(tmp_path: Path) -> None:
    model = unknown_operator()
    network = sc.load_network(saved(model, tmp_path / "n.onnx"), "cpu")
    assert isinstance(network.module, RuntimeNetwork)
    assert "the operator Hardmax of node the_hard_one" in network.no_hooks_reason
    assert network.no_hooks_reason in network.warnings
    assert network.stages == ()
    assert network.output.activation == "sigmoid"
    x = torch.rand(1, 3, 64, 64)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"x": x.numpy()})
    assert np.allclose(network.module(x).sigmoid().numpy(), expected, atol=1e-6)
    result = sc.Explainer(network, method="occlusion")(FRAME, sc.Target(class_index=1, region=REGION))
    assert result.heatmaps["input"].values.any()
    with pytest.raises(SegcamError, match="Hardmax"):
        sc.Explainer(network, method="gradcam", stages=["encoder_1"])


def test_quantized_network_has_a_mask(tmp_path: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    path = saved(small_segmenter(), tmp_path / "n.onnx")
    quantized = tmp_path / "quantized.onnx"
    quantize_dynamic(str(path), str(quantized), weight_type=QuantType.QUInt8)
    network = sc.load_network(quantized, "cpu")
    assert isinstance(network.module, RuntimeNetwork)
    assert "quantized" in network.no_hooks_reason
    plain = sc.load_network(path, "cpu")
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert np.corrcoef(network.module(x).ravel(), plain.module(x).ravel())[0, 1] > 0.99


def test_wrong_result_in_torch_is_never_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_segcam.network.onnx.operators import registry

    wrong = registry.Operator(lambda _node: lambda x: x.relu() * 1.01, frozenset())
    monkeypatch.setitem(registry._OPERATORS, "Relu", wrong)
    network = sc.load_network(saved(small_segmenter(), tmp_path / "n.onnx"), "cpu")
    assert isinstance(network.module, RuntimeNetwork)
    assert "differs from onnxruntime" in network.no_hooks_reason


def test_branch_that_a_constant_chooses_is_taken(tmp_path: Path) -> None:
    taken = helper.make_graph([helper.make_node("Relu", ["x"], ["a"])], "then", [], [onnx.ValueInfoProto(name="a")])
    other = helper.make_graph([helper.make_node("Neg", ["x"], ["b"])], "else", [], [onnx.ValueInfoProto(name="b")])
    nodes = [
        helper.make_node("If", ["yes"], ["chosen"], then_branch=taken, else_branch=other),
        helper.make_node("Conv", ["chosen", "w"], ["y"]),
    ]
    constants = {"yes": np.array(True), "w": np.ones((2, 3, 1, 1), np.float32)}
    network = sc.load_network(saved(model_of(nodes, constants), tmp_path / "n.onnx"), "cpu")
    assert isinstance(network.module, OnnxNetwork)
    x = torch.rand(1, 3, 16, 16) - 0.5
    assert torch.allclose(network.module(x)[:, :1], x.relu().sum(1, keepdim=True), atol=1e-6)


def test_class_names_in_the_metadata(tmp_path: Path) -> None:
    model = small_segmenter()
    helper.set_model_props(model, {"names": "{0: 'nothing', 1: 'thyroid'}"})
    assert sc.load_network(saved(model, tmp_path / "n.onnx"), "cpu").class_names == ("nothing", "thyroid")
    helper.set_model_props(model, {"names": '["a", "b", "c"]'})  # not as many as the network has
    assert sc.load_network(saved(model, tmp_path / "m.onnx"), "cpu").class_names == ("background", "class 1")


def test_deep_supervision_reads_the_main_output(tmp_path: Path) -> None:
    model = small_segmenter()
    model.graph.node.append(helper.make_node("Conv", ["r2", "w4"], ["aux"], name="aux_head"))
    weight = np.random.default_rng(1).normal(size=(2, 16, 1, 1)).astype(np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weight, "w4"))
    model.graph.output.append(onnx.ValueInfoProto(name="aux"))
    network = sc.load_network(saved(model, tmp_path / "n.onnx"), "cpu")
    assert network.output.name == "y"
    assert network.output.choices == ("y", "aux")


@pytest.mark.slow
def test_last_map_of_a_transformer_that_the_exporter_leaves_as_tokens(tmp_path: Path) -> None:
    torch.manual_seed(3)  # whose maps have heat
    module = trained_like(smp.Segformer("mit_b0", encoder_weights=None, classes=2, decoder_segmentation_channels=16))
    path = exported(module, tmp_path / "segformer.onnx", side=64, dynamo=True, opset_version=20, verbose=False)
    network = sc.load_network(path, "cpu")
    original = sc.Network.from_module(module, None, "cpu")
    names = [stage.name for stage in original.select("main")]
    assert "encoder_5" in names
    ours, theirs = heatmaps(network, names), heatmaps(original, names)
    for name in names:
        assert np.corrcoef(ours[name].ravel(), theirs[name].ravel())[0, 1] > 0.9999, name


@pytest.mark.slow
def test_maps_of_a_dilated_encoder_keep_their_names(tmp_path: Path) -> None:
    """Two maps of one size must not be taken for each other: what cannot be told apart is no stage."""
    torch.manual_seed(3)  # whose maps have heat
    module = trained_like(smp.DeepLabV3Plus("mobilenet_v2", encoder_weights=None, classes=2, decoder_channels=16))
    network = sc.load_network(exported(module, tmp_path / "n.onnx"), "cpu")
    original = sc.Network.from_module(module, None, "cpu")
    names = [stage.name for stage in network.stages if stage.kind == "encoder"]
    assert names == ["encoder_1", "encoder_2", "encoder_3", "encoder_5"]
    ours, theirs = heatmaps(network, names), heatmaps(original, names)
    assert sum(values.any() for values in theirs.values()) >= 2
    for name in names:
        assert np.allclose(ours[name], theirs[name], atol=1e-3 * theirs[name].max()), name


def test_maps_of_one_size_that_the_decoder_takes_are_numbered_in_their_order() -> None:
    levels = {"a": 2, "b": 3, "c": 4, "d": 4}
    assert given_features(list(levels), levels, is_deeplab=False) == {2: "a", 3: "b", 4: "c", 5: "d"}
    assert given_features(["a", "c"], levels, is_deeplab=True) == {2: "a", 5: "c"}
