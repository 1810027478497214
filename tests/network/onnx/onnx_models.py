"""ONNX models for the tests, made node by node or exported."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

Shape = Sequence[int | str | None]


def model_of(
    nodes: Sequence[onnx.NodeProto],
    constants: Mapping[str, np.ndarray[Any, Any]],
    image: Shape = (1, 3, "h", "w"),
    outputs: Sequence[str] = ("y",),
    opset: int = 17,
    image_type: int = TensorProto.FLOAT,
) -> onnx.ModelProto:
    """Return a model whose image is ``x``."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info("x", image_type, list(image))],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def small_segmenter(last: str = "") -> onnx.ModelProto:
    """Return an encoder and decoder of three convolutions; ``last`` is an operator after the scores."""
    random = np.random.default_rng(0)
    constants = {
        "w1": random.normal(size=(8, 3, 3, 3)).astype(np.float32) / 4,
        "w2": random.normal(size=(16, 8, 3, 3)).astype(np.float32) / 8,
        "w3": random.normal(size=(2, 24, 1, 1)).astype(np.float32),
        "scales": np.array([1, 1, 2, 2], np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["c1"], name="first", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"], name="first_relu"),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], name="second", pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["c2"], ["r2"], name="second_relu"),
        helper.make_node("Resize", ["r2", "", "scales"], ["up"], name="up", mode="nearest"),
        helper.make_node("Concat", ["up", "r1"], ["both"], name="both", axis=1),
        helper.make_node("Conv", ["both", "w3"], ["scores"], name="head"),
    ]
    match last:
        case "":
            nodes[-1].output[0] = "y"
        case "ArgMax":
            nodes.append(helper.make_node("ArgMax", ["scores"], ["y"], name="choice", axis=1, keepdims=0))
        case _:
            nodes.append(
                helper.make_node(last, ["scores"], ["y"], name="ending", **({"axis": 1} if "max" in last else {}))
            )
    return model_of(nodes, constants)


def saved(model: onnx.ModelProto, path: Path) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def exported(module: nn.Module, path: Path, side: int = 64, channels: int = 3, **options: Any) -> Path:
    """Export a module with torch, by its older exporter unless ``dynamo`` is given."""
    options = {"dynamo": False, "opset_version": 17} | options
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(module.eval(), (torch.rand(1, channels, side, side),), str(path), **options)
    return path
