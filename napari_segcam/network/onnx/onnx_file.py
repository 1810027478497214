"""Read an ONNX file: as a network of torch where every operator has its counterpart, else for onnxruntime."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from napari_segcam.errors import SegcamError, error_text, one_line
from napari_segcam.network.resource_check import check_resources
from napari_segcam.network.whole_network import WholeNetwork
from napari_segcam.optional import needed


def read_onnx(path: Path) -> tuple[WholeNetwork, list[Path]]:
    """Return the network of an ONNX file, and the files beside it that hold weights of it.

    Raises:
        SegcamError: if the file is damaged, takes no image, or nothing here can run it.
        OSError: if it cannot be read.
    """
    needed("onnx", f"{path} is an ONNX network", extra="onnx")
    content = path.read_bytes()
    try:
        external = importlib.import_module("napari_segcam.network.onnx.external_data")
        model = _parse(content)
        files = external.external_files(model, path)
        check_resources(path, "onnx", size=len(content) + sum(file.stat().st_size for file in files))
        external.load_external_data(model, path)
        return _network(model), files
    except SegcamError as error:
        if str(error).startswith(one_line(path)):
            raise
        raise SegcamError(f"{path} is an ONNX file that {error}.") from error
    except OSError:
        raise
    except Exception as error:  # a file that breaks the schema raises several kinds
        raise SegcamError(f"{path} is a damaged ONNX file: {error_text(error, 250)}.") from error


def _parse(content: bytes) -> Any:
    onnx = importlib.import_module("onnx")
    try:
        model = onnx.ModelProto.FromString(content)
    except Exception as error:
        raise SegcamError("is damaged or cut short. Copy or download it again") from error
    if not model.graph.node:
        raise SegcamError("holds no operations. Export the network again")
    return model


def _network(model: Any) -> WholeNetwork:
    if model.functions:
        model = importlib.import_module("onnx.inliner").inline_local_functions(model)
    return importlib.import_module("napari_segcam.network.onnx.conversion").convert(model)
