"""The operators of ONNX as functions of torch, each made for one node of a graph."""

from __future__ import annotations

import importlib
import pkgutil

from napari_segcam.network.onnx.operators.registry import find_operator

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["find_operator"]
