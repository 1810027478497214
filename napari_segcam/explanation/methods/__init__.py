"""CAM methods: each one small function of a stage's activations and gradients, in a file of its own.

Every function takes the activations ``A`` and the gradients ``G = ∂y/∂A``, both ``(B, C, h, w)``, and returns the map
``(B, h, w)`` before the final ReLU, which the explainer applies unless the method is signed. A new method is a new
file in this folder.
"""

from __future__ import annotations

import importlib
import pkgutil

from napari_segcam.explanation.methods.method import CamFunction, Method, registered

__all__ = ["METHODS", "CamFunction", "Method"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

METHODS: dict[str, Method] = {
    method.name: method for method in sorted(registered, key=lambda method: (method.year, method.name))
}
