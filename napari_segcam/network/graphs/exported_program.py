"""Read exported programs, which ``torch.export.save`` wrote, without ``torch.export.load``.

That function unpickles parts of the file with ``weights_only=False`` and evaluates symbolic sizes as Python, so that a
file can run anything. Here the JSON of the graph is read as data and the weights as bytes. Sample inputs, symbolic
sizes and custom objects are not read.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from napari_segcam.errors import SegcamError, one_line
from napari_segcam.network.files.archive import Archive
from napari_segcam.network.files.rebuild_functions import Storage, tensor_from_storage, untyped_storage
from napari_segcam.network.files.torch_file import read_zip
from napari_segcam.network.graphs.graph_arguments import DTYPES
from napari_segcam.network.graphs.graph_network import GraphNetwork

# Names in files of torch before 2.8, then of later ones.
_OLD_PROGRAM = "serialized_exported_program.json"
_OLD_TENSORS = ("serialized_state_dict.pt", "serialized_constants.pt")
_MODELS = "models/"


def is_exported_program(archive: Archive) -> bool:
    """Whether ``torch.export.save``, or a packager that builds on it, wrote this archive."""
    return _OLD_PROGRAM in archive.sizes or "archive_format" in archive.sizes


def read_exported_program(archive: Archive) -> GraphNetwork:
    """Return the network of an exported program, with its weights.

    Raises:
        SegcamError: if the file is damaged, holds compiled code, or uses operations that are not torch's own.
    """
    try:
        program = json.loads(archive.read(_program(archive)))
        return _build_network(program["graph_module"], _tensors(archive))
    except SegcamError as error:
        if str(error).startswith(one_line(archive.path)):
            raise
        raise SegcamError(f"{archive.path} is a program written by torch.export that {error}.") from error
    except Exception as error:  # JSON that breaks the schema raises several kinds
        raise SegcamError(
            f"{archive.path} is a damaged program of torch.export ({type(error).__name__}: {error}). "
            "Copy or download it again."
        ) from error


def _program(archive: Archive) -> str:
    if _OLD_PROGRAM in archive.sizes:
        return _OLD_PROGRAM
    models = [name for name in archive.sizes if name.startswith(_MODELS) and name.endswith(".json")]
    if not models:
        raise SegcamError("holds compiled code instead of a graph. Save it with torch.export.save")
    if len(models) > 1:
        raise SegcamError(f"holds {len(models)} programs. Save only the one you need")
    return models[0]


def _tensors(archive: Archive) -> dict[str, torch.Tensor]:
    """Parameters, buffers and constants by their names in the module."""
    if _OLD_PROGRAM in archive.sizes:
        return {name: t for record in _OLD_TENSORS for name, t in _unpickled_tensors(archive, record).items()}
    name = _program(archive).removeprefix(_MODELS).removesuffix(".json")
    tensors: dict[str, torch.Tensor] = {}
    for folder, config in (("data/weights", "weights"), ("data/constants", "constants")):
        packed = f"{folder}/{name}.pt"  # torch 2.8 packed them together
        if packed in archive.sizes:
            tensors |= _unpickled_tensors(archive, packed)
        else:
            entries = json.loads(archive.read(f"{folder}/{name}_{config}_config.json"))["config"]
            tensors |= _listed_tensors(archive, folder, entries)
    return tensors


def _unpickled_tensors(archive: Archive, record: str) -> dict[str, torch.Tensor]:
    with Archive(archive.path, io.BytesIO(archive.read(record))) as inner:
        content = read_zip(inner)
    return {name: value for name, value in content.items() if isinstance(value, torch.Tensor)}


def _listed_tensors(archive: Archive, folder: str, entries: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    storages: dict[str, Storage] = {}
    tensors = {}
    for name, entry in entries.items():
        record = f"{folder}/{entry['path_name']}"
        if entry["use_pickle"]:
            with Archive(archive.path, io.BytesIO(archive.read(record))) as inner:
                tensors[name] = read_zip(inner)
            continue
        metadata = entry["tensor_meta"]
        dtype = DTYPES[metadata["dtype"]]
        if record not in storages:
            storages[record] = Storage(untyped_storage(bytearray(archive.read(record))), dtype)
        size, stride = ([number["as_int"] for number in metadata[key]] for key in ("sizes", "strides"))
        tensors[name] = tensor_from_storage(storages[record], dtype, metadata["storage_offset"]["as_int"], size, stride)
    return tensors


def _build_network(module: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> GraphNetwork:
    graph, signature = module["graph"], module["signature"]
    weights, images = _inputs(signature["input_specs"], tensors)
    if len(images) != 1:
        raise SegcamError(f"takes {len(images)} inputs. Only networks that take one image are supported")
    if any(_is_training(node) for node in graph["nodes"]):
        raise SegcamError("was exported in training mode. Call model.eval() before torch.export.export")
    outputs = [spec["user_output"]["arg"] for spec in signature["output_specs"] if "user_output" in spec]
    names = _output_names(module, len(outputs))
    tensor_outputs = {
        name: output["as_tensor"]["name"] for name, output in zip(names, outputs, strict=True) if "as_tensor" in output
    }
    if not tensor_outputs:
        raise SegcamError("returns no tensor. Only networks that give a mask or scores are supported")
    return GraphNetwork(graph, weights, images[0], list(tensor_outputs.values()), tuple(tensor_outputs))


def _output_names(module: Mapping[str, Any], count: int) -> list[str]:
    """Names of the outputs in order: keys and indices joined with dots, or else their numbers."""
    try:
        spec = json.loads(module["module_call_graph"][0]["signature"]["out_spec"])[1]
        names = list(_leaf_names(spec))
    except (KeyError, IndexError, TypeError, ValueError, RecursionError):
        names = []
    are_valid = len(names) == count == len(set(names))
    return names if are_valid else [str(number) for number in range(count)]


def _leaf_names(spec: Mapping[str, Any]) -> Iterator[str]:
    children = spec["children_spec"]
    if not children:
        yield ""
    context = json.loads(spec["context"]) if spec["context"] else None
    keys = context if isinstance(context, list) and len(context) == len(children) else range(len(children))
    for key, child in zip(keys, children, strict=True):
        for name in _leaf_names(child):
            yield f"{key}.{name}" if name else str(key)


def _inputs(
    specs: Sequence[Mapping[str, Any]], tensors: Mapping[str, torch.Tensor]
) -> tuple[dict[str, torch.Tensor], list[str]]:
    """The weights by the names of the graph's inputs, and the names of the inputs that the user gives."""
    weights, images = {}, []
    for spec in specs:
        ((kind, details),) = spec.items()
        if kind == "user_input":
            images.append(details["arg"]["as_tensor"]["name"])
        elif kind in ("parameter", "buffer", "tensor_constant"):
            weights[details["arg"]["name"]] = tensors[details[f"{kind}_name"]]
        else:
            raise SegcamError(f"takes an input of an unknown kind ({kind}). Export it without that input")
    return weights, images


def _is_training(node: Mapping[str, Any]) -> bool:
    """Whether this is a batch norm or dropout in training mode."""
    return any(
        argument["name"] in ("training", "train") and argument["arg"].get("as_bool") is True
        for argument in node["inputs"]
    )
