"""Read the graph in an ONNX model: constants, nodes with the paths of their modules, inputs and outputs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from napari_segcam.errors import SegcamError
from napari_segcam.network.onnx.graph import Array, Graph, GraphInput, MissingOperatorError, Node, used_names

_OWN_DOMAINS = ("", "ai.onnx")
_MOST_NODES = 200_000
_DEEPEST_PATH, _LONGEST_NAME = 40, 100
# Where torch's newer exporter writes the paths of the modules around a node.
_SCOPES = "pkg.torch.onnx.name_scopes"
_SCOPES_OF_A_LAYER = 3  # the network, the layer, and the operation in it


def read_graph(model: onnx.ModelProto) -> Graph:
    """Return the graph of a model whose weights are all in it.

    Raises:
        SegcamError: if the graph has a cycle, or uses what nothing makes.
        ValueError, TypeError: if its tensors are damaged.
    """
    versions = {entry.domain: entry.version for entry in model.opset_import}
    if len(model.graph.node) > _MOST_NODES:
        raise SegcamError(f"has {len(model.graph.node):,} nodes, more than the {_MOST_NODES:,} that are read")
    graph = _graph(model.graph, versions)
    graph.metadata = {entry.key: entry.value for entry in model.metadata_props}
    _check_order(graph)
    return graph


def _graph(proto: onnx.GraphProto, versions: Mapping[str, int]) -> Graph:
    constants: dict[str, Array] = {}
    unreadable = [sparse.values.name for sparse in proto.sparse_initializer]
    for tensor in proto.initializer:
        try:
            constants[tensor.name] = array_of(tensor)
        except MissingOperatorError:
            unreadable.append(tensor.name)
    return Graph(
        nodes=[_node(node, versions) for node in proto.node],
        constants=constants,
        inputs=[_input(value) for value in proto.input if value.name not in {*constants, *unreadable}],
        outputs=[value.name for value in proto.output],
        unreadable=unreadable,
    )


def array_of(tensor: onnx.TensorProto) -> Array:
    """Return the values of a tensor: booleans, integers, or float32 for every kind of real number.

    Raises:
        MissingOperatorError: if they are of a type that torch does not have.
    """
    array = numpy_helper.to_array(tensor)
    if array.dtype.kind in "biu":
        return array
    if array.dtype.kind == "f":
        return array.astype(np.float32, copy=False)
    try:
        name = array.dtype.name  # of ml_dtypes, such as bfloat16 and int4
        return array.astype(np.int8 if name.startswith(("int", "uint")) else np.float32)
    except (TypeError, ValueError) as error:
        raise MissingOperatorError(f"the constant {tensor.name} of type {array.dtype}") from error


def _node(proto: onnx.NodeProto, versions: Mapping[str, int]) -> Node:
    is_own = proto.domain in _OWN_DOMAINS
    version = max((versions.get(domain, 0) for domain in _OWN_DOMAINS), default=0)
    attributes = {attribute.name: _attribute(attribute, versions) for attribute in proto.attribute}
    path, called = _module_path(proto)
    return Node(
        operator=proto.op_type if is_own else f"{proto.domain}.{proto.op_type}",
        name=proto.name,
        inputs=tuple(proto.input),
        outputs=tuple(proto.output),
        attributes=attributes,
        version=version if is_own else versions.get(proto.domain, 1),
        path=path,
        called=called,
    )


def _attribute(proto: onnx.AttributeProto, versions: Mapping[str, int]) -> Any:
    if proto.type == onnx.AttributeProto.GRAPH:
        return _graph(proto.g, versions)
    if proto.type == onnx.AttributeProto.GRAPHS:
        return [_graph(graph, versions) for graph in proto.graphs]
    value = helper.get_attribute_value(proto)
    if isinstance(value, onnx.TensorProto):
        try:
            return array_of(value)
        except MissingOperatorError:
            return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, int | float):
        return value
    if proto.type in (onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS):
        return list(value)
    if proto.type == onnx.AttributeProto.STRINGS:
        return [text.decode("utf-8", "replace") for text in value]
    return value  # of a kind that no operator here takes


def _module_path(proto: onnx.NodeProto) -> tuple[tuple[str, ...], frozenset[int]]:
    """Return the path of the module that a node comes from, and which parts of it are calls; see ``Node``."""
    scopes = next((entry.value for entry in proto.metadata_props if entry.key == _SCOPES), "")
    if scopes:
        names = re.findall(r"'([^']*)'", scopes[:10_000])
        if len(names) < _SCOPES_OF_A_LAYER or names[0]:
            return (), frozenset()
        return _path(names[-2].split("."), [len(name.split(".")) for name in names[1:-1]])
    parts = [part for part in proto.name.split("/") if part][:-1]
    path: list[str] = []
    calls: list[int] = []
    around = ""
    for part in parts:
        # A child of a sequence has the name of the sequence too: layer1/layer1.0.
        own = part.removeprefix(f"{around}.") if around else part
        path += own.split(".")
        calls.append(len(path))
        around = part
    return _path(path, calls)


def _path(parts: list[str], calls: list[int]) -> tuple[tuple[str, ...], frozenset[int]]:
    names = tuple(part[:_LONGEST_NAME] or "_" for part in parts[:_DEEPEST_PATH])
    return names, frozenset(calls)


def _input(value: onnx.ValueInfoProto) -> GraphInput:
    tensor = value.type.tensor_type
    try:
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    except (KeyError, TypeError):
        dtype = None
    if not tensor.HasField("shape"):
        return GraphInput(value.name, dtype, None)
    sides = (side.dim_value if side.HasField("dim_value") else None for side in tensor.shape.dim)
    return GraphInput(value.name, dtype, tuple(side if side and side > 0 else None for side in sides))


def _check_order(graph: Graph) -> None:
    """Check that every node takes only what is there before it runs."""
    known = {*graph.constants, *graph.unreadable, *(graph_input.name for graph_input in graph.inputs)}
    for node in graph.nodes:
        for name in used_names(node):
            if name not in known:
                made = any(name in other.outputs for other in graph.nodes)
                why = "before it is made (the graph has a cycle)" if made else "which nothing makes"
                raise SegcamError(f"is damaged: the node {node.title} takes {name} {why}. Export it again")
        known.update(node.outputs)
    if missing := [name for name in graph.outputs if name not in known]:
        raise SegcamError(f"is damaged: nothing makes its output {missing[0]}. Export it again")
