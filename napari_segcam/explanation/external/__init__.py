"""External methods: CAM methods of the installed packages grad-cam and torchcam that this package does not have.

They are found in the files of the installed version, so that new ones appear by themselves; a package is imported only
when one of its methods runs. Each explains one stage at a time, with passes of the plain network. Usage::

    method = find_external("grad-cam:fem")
    estimate_external(method, module, x, stage, objective)
    external_map(method, module, x, stage, objective, progress=..., cancelled=...)
"""

from __future__ import annotations

from napari_segcam.explanation.external.catalog import counterpart, external_methods, find_external, unsuitable_methods
from napari_segcam.explanation.external.external_maps import ExternalMap, estimate_external, external_map
from napari_segcam.explanation.external.external_method import ExternalMethod

__all__ = [
    "ExternalMap",
    "ExternalMethod",
    "counterpart",
    "estimate_external",
    "external_map",
    "external_methods",
    "find_external",
    "unsuitable_methods",
]
