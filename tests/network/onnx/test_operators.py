"""Each operator in torch, compared with onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from onnx import helper  # noqa: E402
from onnx_models import model_of  # noqa: E402

from napari_segcam.network.onnx.image_input import find_image  # noqa: E402
from napari_segcam.network.onnx.onnx_network import OnnxNetwork  # noqa: E402
from napari_segcam.network.onnx.reading import read_graph  # noqa: E402
from napari_segcam.network.onnx.simplifying import simplify  # noqa: E402

RANDOM = np.random.default_rng(3)
F, I = np.float32, np.int64  # noqa: E741


def weights(*shape: int) -> np.ndarray[Any, Any]:
    return RANDOM.normal(size=shape).astype(F)


def differences(model: Any, shape: Sequence[int] = (1, 3, 12, 16)) -> list[float]:
    """Return the largest difference of each output from onnxruntime's."""
    graph = simplify(read_graph(model))
    network = OnnxNetwork(graph, find_image(graph), graph.outputs).eval()
    image = torch.rand(*shape, generator=torch.Generator().manual_seed(1)) * 2 - 0.7
    with torch.no_grad():
        ours = network.run(image)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    theirs = session.run(None, {"x": image.numpy()})
    assert [tuple(np.asarray(value).shape) for value in ours] == [value.shape for value in theirs]
    return [
        float(np.abs(np.asarray(value, np.float64) - expected.astype(np.float64)).max(initial=0))
        for value, expected in zip(ours, theirs, strict=True)
    ]


Case = tuple[str, dict[str, Any], dict[str, Any], int]


def case(operator: str, opset: int = 17, constants: Mapping[str, Any] | None = None, **attributes: Any) -> Case:
    return operator, dict(constants or {}), attributes, opset


UNARY = "Abs Ceil Cos Erf Exp Floor Neg Round Sign Sin Sigmoid Tanh Relu Softsign Softplus HardSwish Identity".split()  # noqa: SIM905
CASES = [
    *(case(name) for name in UNARY),
    *(case(name, alpha=0.3) for name in ("LeakyRelu", "Elu", "Celu", "ThresholdedRelu", "HardSigmoid")),
    case("Selu"),
    case("Gelu", 20),
    case("Gelu", 20, approximate="tanh"),
    case("Mish", 18),
    case("PRelu", constants={"a": weights(3, 1, 1)}),
    case("Clip", constants={"a": F(-0.2), "b": F(0.6)}),
    case("Clip", 6, min=-0.1, max=0.4),
    *(case(name, constants={"a": weights(3, 1, 1)}) for name in ("Add", "Sub", "Mul", "Div", "Max", "Min")),
    case("Softmax", axis=1),
    case("Softmax", 11, axis=1),
    case("LogSoftmax", axis=-1),
    case("Conv", constants={"a": weights(5, 3, 3, 3), "b": weights(5)}, pads=[1, 1, 1, 1], strides=[2, 2]),
    case("Conv", constants={"a": weights(5, 3, 3, 2)}, pads=[0, 1, 2, 0], dilations=[2, 1]),
    case("Conv", constants={"a": weights(6, 1, 3, 3)}, auto_pad="SAME_UPPER", strides=[2, 2], group=3),
    case("Conv", constants={"a": weights(4, 3, 4, 4)}, auto_pad="SAME_LOWER"),
    case("ConvTranspose", constants={"a": weights(3, 5, 2, 2), "b": weights(5)}, strides=[2, 2]),
    case(
        "ConvTranspose", constants={"a": weights(3, 5, 3, 3)}, strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1]
    ),
    case("ConvTranspose", constants={"a": weights(3, 5, 3, 3), "b": weights(5)}, strides=[2, 2], pads=[0, 1, 1, 0]),
    case("BatchNormalization", constants={"a": weights(3), "b": weights(3), "c": weights(3), "d": weights(3) ** 2}),
    case("InstanceNormalization", constants={"a": weights(3), "b": weights(3)}, epsilon=1e-3),
    case("GroupNormalization", 21, constants={"a": weights(3), "b": weights(3)}, num_groups=3),
    case("LayerNormalization", constants={"a": weights(16), "b": weights(16)}, axis=-1),
    case("LayerNormalization", constants={"a": weights(12, 16)}, axis=2),
    case("LpNormalization", axis=1, p=2),
    case("LRN", size=3, alpha=0.5),
    case("MeanVarianceNormalization"),
    case("MaxPool", kernel_shape=[2, 2], strides=[2, 2]),
    case("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1]),
    case("MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    case("MaxPool", kernel_shape=[2, 2], auto_pad="SAME_UPPER", strides=[2, 2]),
    case("AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    case("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
    case("AveragePool", kernel_shape=[3, 3], pads=[0, 0, 1, 1]),
    case("GlobalAveragePool"),
    case("GlobalMaxPool"),
    case("Transpose", perm=[0, 2, 3, 1]),
    case("Transpose"),
    case("Flatten", axis=2),
    case("Reshape", constants={"a": np.array([0, -1, 16], I)}),
    case("Unsqueeze", constants={"a": np.array([0, 3], I)}),
    case("Unsqueeze", 11, axes=[-1, 1]),
    case("Slice", constants={"a": np.array([1, -9], I), "b": np.array([99, -1], I), "c": np.array([2, 3], I)}),
    case(
        "Slice",
        constants={"a": np.array([-1], I), "b": np.array([-99], I), "c": np.array([3], I), "d": np.array([-3], I)},
    ),
    case("Slice", 9, starts=[2], ends=[-2], axes=[2]),
    case("Gather", constants={"a": np.array([[2, 0], [-1, 1]], I)}, axis=1),
    case("Gather", constants={"a": np.array(1, I)}, axis=1),
    case("Expand", constants={"a": np.array([2, 1, 1, 1, 1], I)}),
    case("Tile", constants={"a": np.array([1, 2, 1, 3], I)}),
    case("Pad", constants={"a": np.array([0, 0, 1, 2, 0, 1, 3, -2], I), "b": F(0.5)}),
    *(case("Pad", 19, {"a": np.array([0, 0, 3, 2, 0, 0, 1, 4], I)}, mode=mode) for mode in ("reflect", "edge", "wrap")),
    case("Pad", 10, pads=[0, 0, 1, 1, 0, 0, 0, 2], mode="reflect"),
    case("DepthToSpace", constants={}, blocksize=1),
    case("SpaceToDepth", blocksize=2),
    *(case(name, axes=[2, 3]) for name in ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceLogSumExp")),
    case("ReduceMean", 18, {"a": np.array([1, -1], I)}, keepdims=0),
    case("ReduceSum", constants={"a": np.array([1], I)}, keepdims=0),
    case("ReduceProd", axes=[1, 3]),
    case("ArgMax", axis=1, keepdims=0),
    case("CumSum", constants={"a": np.array(2, I)}, exclusive=1, reverse=1),
    case("MatMul", constants={"a": weights(16, 7)}),
    case("Einsum", constants={"a": weights(3, 5)}, equation="bchw,ck->bkhw"),
    case("Trilu", upper=0),
    case("Cast", to=6),
    case("Upsample", 9, {"a": np.array([1, 1, 2, 2], F)}, mode="nearest"),
    case("Upsample", 9, {"a": np.array([1, 1, 2, 3], F)}, mode="linear"),
    case("Resize", 10, {"a": np.array([1, 1, 2, 0.5], F)}, mode="nearest"),
]


@pytest.mark.parametrize("chosen", CASES, ids=lambda chosen: f"{chosen[0]}-{chosen[3]}-{sorted(chosen[2])}")
def test_operator_equals_onnxruntime(chosen: Case) -> None:
    operator, constants, attributes, opset = chosen
    node = helper.make_node(operator, ["x", *constants], ["y"], **attributes)
    # Onnxruntime needs the sides in the file for some operators, and Pad's later inputs in their places.
    assert max(differences(model_of([node], constants, (1, 3, 12, 16), opset=opset))) < 1e-4


MODES = [
    (mode, coordinates)
    for mode in ("nearest", "linear", "cubic")
    for coordinates in ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric")
]


@pytest.mark.parametrize(("mode", "coordinates"), MODES)
@pytest.mark.parametrize("to", [np.array([1, 1, 2, 2], F), np.array([1, 1, 1.5, 0.4], F), np.array([1, 3, 19, 7], I)])
def test_resize_equals_onnxruntime(mode: str, coordinates: str, to: np.ndarray[Any, Any]) -> None:
    inputs = ["x", "", "", "to"] if to.dtype == I else ["x", "", "to"]
    node = helper.make_node("Resize", inputs, ["y"], mode=mode, coordinate_transformation_mode=coordinates)
    assert max(differences(model_of([node], {"to": to}, (1, 3, 12, 16), opset=19))) < 1e-4


@pytest.mark.parametrize("rounding", ["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"])
def test_nearest_rounding_equals_onnxruntime(rounding: str) -> None:
    for scales in ([1, 1, 2, 2], [1, 1, 0.5, 0.25], [1, 1, 1.7, 2.3]):
        node = helper.make_node(
            "Resize",
            ["x", "", "to"],
            ["y"],
            mode="nearest",
            nearest_mode=rounding,
            coordinate_transformation_mode="asymmetric",
        )
        assert max(differences(model_of([node], {"to": np.array(scales, F)}, (1, 3, 12, 16)))) == 0


def test_sizes_that_are_computed_from_the_image() -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Slice", ["shape", "two", "four", "zero"], ["sides"]),
        helper.make_node("Cast", ["sides"], ["real"], to=1),
        helper.make_node("Mul", ["real", "factor"], ["larger"]),
        helper.make_node("Floor", ["larger"], ["floored"]),
        helper.make_node("Cast", ["floored"], ["whole"], to=7),
        helper.make_node("Slice", ["shape", "zero", "two", "zero"], ["others"]),
        helper.make_node("Concat", ["others", "whole"], ["all"], axis=0),
        helper.make_node("Resize", ["x", "", "", "all"], ["y"], mode="linear"),
    ]
    constants = {
        "zero": np.array([0], I),
        "two": np.array([2], I),
        "four": np.array([4], I),
        "factor": np.array([1.5, 2], F),
    }
    model = model_of(nodes, constants, (1, 3, None, None))
    assert max(differences(model, (1, 3, 10, 14))) < 1e-5
    assert max(differences(model, (1, 3, 7, 5))) < 1e-5


def test_pooling_that_returns_places_is_undone() -> None:
    nodes = [
        helper.make_node("MaxPool", ["x"], ["small", "places"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("MaxUnpool", ["small", "places"], ["y"], kernel_shape=[2, 2], strides=[2, 2]),
    ]
    assert max(differences(model_of(nodes, {}, (1, 3, 12, 16), outputs=["y", "places"]))) == 0


def test_several_outputs_of_one_node() -> None:
    nodes = [
        helper.make_node("Split", ["x"], ["a", "b", "c"], axis=3, num_outputs=3),
        helper.make_node("TopK", ["x", "two"], ["values", "places"], axis=1),
    ]
    model = model_of(nodes, {"two": np.array([2], I)}, (1, 3, 12, 16), ["a", "c", "values", "places"], opset=18)
    assert max(differences(model)) == 0


@pytest.mark.parametrize("axis", [0, 1])
def test_weights_stored_as_small_integers(axis: int) -> None:
    constants = {
        "small": RANDOM.integers(-120, 120, (4, 3, 3, 3)).astype(np.int8),
        "scale": np.linspace(0.01, 0.02, (4, 3)[axis]).astype(F),
        "zero": np.arange((4, 3)[axis]).astype(np.int8),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["small", "scale", "zero"], ["w"], axis=axis),
        helper.make_node("Conv", ["x", "w"], ["y"]),
    ]
    assert max(differences(model_of(nodes, constants))) < 1e-4
