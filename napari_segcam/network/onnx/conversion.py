"""Make a network of an ONNX model: of torch's layers if they compute the same, else one that onnxruntime runs."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import onnx
import torch

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.network.onnx.class_names import class_names
from napari_segcam.network.onnx.endings import Ending, final_activation, find_ending
from napari_segcam.network.onnx.graph import Graph, MissingOperatorError
from napari_segcam.network.onnx.image_input import ImageInput, find_image
from napari_segcam.network.onnx.onnx_network import OnnxNetwork
from napari_segcam.network.onnx.reading import read_graph
from napari_segcam.network.onnx.runtime_network import RuntimeNetwork
from napari_segcam.network.onnx.self_check import differs
from napari_segcam.network.onnx.simplifying import quantized_node, simplify
from napari_segcam.network.whole_network import WholeNetwork

_NO_RUNTIME = (
    "cannot be run in torch, because {}. onnxruntime can give masks and occlusion maps: pip install onnxruntime"
)


def convert(model: onnx.ModelProto) -> WholeNetwork:
    """Return the network of a model that holds all its weights and no functions of its own.

    Raises:
        SegcamError: if it takes no image, or nothing here can run it.
        ValueError, TypeError, RuntimeError: if it breaks the schema.
    """
    graph = read_graph(model)
    names = list(graph.outputs)
    try:
        graph = simplify(graph)
        image, endings = find_image(graph), [find_ending(graph, name) for name in graph.outputs]
        network = _in_torch(model, graph, image, endings, names)
    except MissingOperatorError as missing:
        image, endings = find_image(graph), [find_ending(graph, name) for name in graph.outputs]
        network = _in_onnxruntime(model, graph, image, endings, names, str(missing))
    _add_card_fields(network, graph, image, endings)
    network.notes = tuple(dict.fromkeys(ending.note for ending in endings if ending.note))
    return network


def _in_torch(
    model: onnx.ModelProto, graph: Graph, image: ImageInput, endings: Sequence[Ending], names: Sequence[str]
) -> WholeNetwork:
    node = quantized_node(graph)
    if node is not None:
        raise MissingOperatorError(
            f"it is quantized (operator {node.operator}, node {node.title}) and whole numbers have no gradient"
        )
    read = Graph(graph.nodes, graph.constants, graph.inputs, [ending.name for ending in endings], graph.metadata)
    network = OnnxNetwork(read, image, names).eval()
    if find_spec("onnxruntime") is not None:
        difference = differs(network, image, with_outputs(model, read.outputs), is_half=_is_half(model))
        if difference:
            raise MissingOperatorError(difference)
    return network


def _in_onnxruntime(
    model: onnx.ModelProto,
    graph: Graph,
    image: ImageInput,
    endings: Sequence[Ending],
    names: Sequence[str],
    reason: str,
) -> WholeNetwork:
    if find_spec("onnxruntime") is None:
        raise SegcamError(_NO_RUNTIME.format(reason))
    # A final activation is computed here, so that it is recognized and left out.
    made = {output for node in model.graph.node for output in node.output}
    outputs, activations = [], []
    for ending, name in zip(endings, names, strict=True):
        before = final_activation(graph, ending.name)
        if before is not None and before[0] in made:
            outputs.append(before[0])
            activations.append(before[1])
        else:
            outputs.append(ending.name if ending.name in made else name)
            activations.append("")
    network = RuntimeNetwork(with_outputs(model, outputs), image, names, activations, reason)
    try:
        network(torch.rand(1, image.channels or 3, *(image.size or (128, 128))))
    except RuntimeError as error:
        if image.size is not None:
            raise SegcamError(f"does not run: {error_text(error, 250)}") from error
    return network.eval()


def with_outputs(model: onnx.ModelProto, names: Sequence[str]) -> bytes:
    """Return a model, serialized, that returns these values instead of its own outputs."""
    if [output.name for output in model.graph.output] == list(names):
        return bytes(model.SerializeToString())
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    known = {value.name: value for value in (*model.graph.output, *model.graph.value_info)}
    del copy.graph.output[:]
    for name in dict.fromkeys(names):
        copy.graph.output.append(known.get(name, onnx.ValueInfoProto(name=name)))
    return bytes(copy.SerializeToString())


def _is_half(model: onnx.ModelProto) -> bool:
    halves = (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)
    return any(tensor.data_type in halves for tensor in model.graph.initializer)


def _add_card_fields(network: WholeNetwork, graph: Graph, image: ImageInput, endings: Sequence[Ending]) -> None:
    fields: dict[str, Any] = {}
    if image.normalization is not None:
        fields["normalization"] = image.normalization
        network.assumed_fields = frozenset() if image.is_integer else frozenset({"normalization"})
    thresholds = [ending.threshold for ending in endings if ending.threshold is not None]
    if thresholds:
        fields["threshold"] = thresholds[0]
    names = class_names(graph.metadata)
    if names and len(names) in _channel_counts(network, image):
        fields["class_names"] = names
    network.card_fields = fields


@torch.no_grad()
def _channel_counts(network: WholeNetwork, image: ImageInput) -> set[int]:
    """Return how many channels the outputs have."""
    try:
        outputs = network(torch.zeros(1, image.channels or 3, *(image.size or (128, 128))))
    except (RuntimeError, ValueError):
        return set()
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return {output.shape[1] for output in outputs if output.ndim in (2, 4)}
