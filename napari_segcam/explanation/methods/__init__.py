"""Gradient CAM methods: each is a small function of a stage's activations and gradients.

Every function takes the activations ``A`` and the gradients ``G = ∂y/∂A``, both ``(B, C, h, w)``, and returns the map
``(B, h, w)`` before the final ReLU, which the explainer applies unless the method is signed. A new method is a new
file in this folder.
"""

from __future__ import annotations

from napari_segcam.explanation.methods.method import CamFunction, GradientMethod
from napari_segcam.explanation.registry import collect

__all__ = ["METHODS", "CamFunction", "GradientMethod"]

METHODS: dict[str, GradientMethod] = collect(__name__, __path__, GradientMethod)
