"""Exported programs: what ``torch.export.save`` wrote, read without ``torch.export.load``.

That function unpickles parts of the file with ``weights_only=False`` and evaluates the texts of its symbolic sizes as
Python: a file can run anything. Here the JSON that describes the graph is read as data, the weights as bytes; sample
inputs, symbolic sizes and custom objects are not touched.
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

# Torch before 2.8, and since.
_FORMER_PROGRAM = "serialized_exported_program.json"
_FORMER_TENSORS = ("serialized_state_dict.pt", "serialized_constants.pt")
_MODELS = "models/"


def is_exported_program(archive: Archive) -> bool:
    """Whether ``torch.export.save``, or a packager that builds on it, wrote this archive."""
    return _FORMER_PROGRAM in archive.sizes or "archive_format" in archive.sizes


def read_exported_program(archive: Archive) -> GraphNetwork:
    """The network of an exported program, and its weights.

    Raises:
        SegcamError: if it is damaged, was compiled, or uses what is not torch's own.
    """
    try:
        program = json.loads(archive.read(_program(archive)))
        return _network(program["graph_module"], _tensors(archive))
    except SegcamError as error:
        if str(error).startswith(one_line(archive.path)):
            raise
        raise SegcamError(f"{archive.path} is a program written by torch.export that {error}.") from error
    except Exception as error:  # JSON that does not keep to the schema raises several kinds
        raise SegcamError(
            f"{archive.path} is a damaged program of torch.export ({type(error).__name__}: {error}). "
            "Copy or download it again."
        ) from error


def _program(archive: Archive) -> str:
    if _FORMER_PROGRAM in archive.sizes:
        return _FORMER_PROGRAM
    models = [name for name in archive.sizes if name.startswith(_MODELS) and name.endswith(".json")]
    if not models:
        raise SegcamError("holds compiled code instead of a graph. Save it with torch.export.save")
    if len(models) > 1:
        raise SegcamError(f"holds {len(models)} programs. Save the one that is meant alone")
    return models[0]


def _tensors(archive: Archive) -> dict[str, torch.Tensor]:
    """Parameters, buffers and constants by the names they had in the module."""
    if _FORMER_PROGRAM in archive.sizes:
        return {name: t for record in _FORMER_TENSORS for name, t in _pickled(archive, record).items()}
    name = _program(archive).removeprefix(_MODELS).removesuffix(".json")
    tensors: dict[str, torch.Tensor] = {}
    for folder, config in (("data/weights", "weights"), ("data/constants", "constants")):
        whole = f"{folder}/{name}.pt"  # torch 2.8 packed them together
        if whole in archive.sizes:
            tensors |= _pickled(archive, whole)
        else:
            listed = json.loads(archive.read(f"{folder}/{name}_{config}_config.json"))["config"]
            tensors |= _listed(archive, folder, listed)
    return tensors


def _pickled(archive: Archive, record: str) -> dict[str, torch.Tensor]:
    with Archive(archive.path, io.BytesIO(archive.read(record))) as inner:
        content = read_zip(inner)
    return {name: value for name, value in content.items() if isinstance(value, torch.Tensor)}


def _listed(archive: Archive, folder: str, listed: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    storages: dict[str, Storage] = {}
    tensors = {}
    for name, entry in listed.items():
        record = f"{folder}/{entry['path_name']}"
        if entry["use_pickle"]:
            with Archive(archive.path, io.BytesIO(archive.read(record))) as inner:
                tensors[name] = read_zip(inner)
            continue
        described = entry["tensor_meta"]
        dtype = DTYPES[described["dtype"]]
        if record not in storages:
            storages[record] = Storage(untyped_storage(bytearray(archive.read(record))), dtype)
        size, stride = ([one["as_int"] for one in described[key]] for key in ("sizes", "strides"))
        tensors[name] = tensor_from_storage(
            storages[record], dtype, described["storage_offset"]["as_int"], size, stride
        )
    return tensors


def _network(module: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> GraphNetwork:
    graph, signature = module["graph"], module["signature"]
    weights, images = _inputs(signature["input_specs"], tensors)
    if len(images) != 1:
        raise SegcamError(f"takes {len(images)} inputs. Only networks that take one image are supported")
    if any(_trains(node) for node in graph["nodes"]):
        raise SegcamError("was exported in training mode. Call model.eval() before torch.export.export")
    given = [spec["user_output"]["arg"] for spec in signature["output_specs"] if "user_output" in spec]
    names = _output_names(module, len(given))
    tensors_given = {
        name: one["as_tensor"]["name"] for name, one in zip(names, given, strict=True) if "as_tensor" in one
    }
    if not tensors_given:
        raise SegcamError("returns no tensor. Only networks that give a mask or scores are supported")
    return GraphNetwork(graph, weights, images[0], list(tensors_given.values()), tuple(tensors_given))


def _output_names(module: Mapping[str, Any], count: int) -> list[str]:
    """What the network called its outputs, in order: keys and numbers, with dots between; else their numbers."""
    try:
        spec = json.loads(module["module_call_graph"][0]["signature"]["out_spec"])[1]
        names = list(_leaves(spec))
    except (KeyError, IndexError, TypeError, ValueError, RecursionError):
        names = []
    is_right = len(names) == count == len(set(names))
    return names if is_right else [str(number) for number in range(count)]


def _leaves(spec: Mapping[str, Any]) -> Iterator[str]:
    children = spec["children_spec"]
    if not children:
        yield ""
    context = json.loads(spec["context"]) if spec["context"] else None
    keys = context if isinstance(context, list) and len(context) == len(children) else range(len(children))
    for key, child in zip(keys, children, strict=True):
        for inner in _leaves(child):
            yield f"{key}.{inner}" if inner else str(key)


def _inputs(
    specs: Sequence[Mapping[str, Any]], tensors: Mapping[str, torch.Tensor]
) -> tuple[dict[str, torch.Tensor], list[str]]:
    """The tensors by the names of the graph's inputs, and the names of those that the user gives."""
    weights, images = {}, []
    for spec in specs:
        ((kind, details),) = spec.items()
        if kind == "user_input":
            images.append(details["arg"]["as_tensor"]["name"])
        elif kind in ("parameter", "buffer", "tensor_constant"):
            weights[details["arg"]["name"]] = tensors[details[f"{kind}_name"]]
        else:
            raise SegcamError(f"takes an input of a kind that is not known ({kind}). Export it without")
    return weights, images


def _trains(node: Mapping[str, Any]) -> bool:
    """Whether this is a batch norm or dropout that still trains."""
    return any(
        given["name"] in ("training", "train") and given["arg"].get("as_bool") is True for given in node["inputs"]
    )
