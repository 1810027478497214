"""The package torchcam (François-Guillaume Fernandez): which of its methods can be used, and how they are called."""

from __future__ import annotations

import ast

import torch

from napari_segcam.explanation.external.external_method import ExternalMethod, version_of
from napari_segcam.explanation.external.marked_network import MarkedNetwork
from napari_segcam.explanation.external.package_source import PackageSource, default_of, required_arguments
from napari_segcam.explanation.targets.objective import Objective

DISTRIBUTION = MODULE = "torchcam"

OWN_NAMES = {
    "GradCAM": "gradcam",
    "GradCAMpp": "gradcam++",
    "LayerCAM": "layercam",
    "XGradCAM": "xgradcam",
    "ScoreCAM": "scorecam",
}
"""Classes of the package → this package's names of the same methods."""

_UNSUITABLE = {
    "FinerCAM": "it compares the scores of a classifier, not of a region: use finercam",
    "RefineCAM": "it multiplies the maps of several layers, so that no stage has one of its own",
}
_ROOT = "_CAM"
_PER_CHANNEL = "ScoreCAM"


def find_methods() -> tuple[list[ExternalMethod], dict[str, str]]:
    """Return the methods of the installed package, and for each other class of CAMs why it cannot be used."""
    source = PackageSource(MODULE, "methods/__init__.py")
    methods: list[ExternalMethod] = []
    unsuitable: dict[str, str] = {}
    for name in source.public:
        if name.startswith("_"):
            continue
        if reason := _why_unsuitable(source, name):
            unsuitable[name] = reason
        else:
            methods.append(_method(source, name))
    return methods, unsuitable


def raw_map(class_name: str, network: MarkedNetwork, x: torch.Tensor, objective: Objective) -> torch.Tensor:
    """Return the package's map ``(h, w)`` before its scaling; most of its methods end with a ReLU.

    Args:
        class_name: of the package.
        network: with its mark open.
        x: the input ``(1, C, H, W)``.
        objective: the explained score.
    """
    import torchcam.methods

    with getattr(torchcam.methods, class_name)(network, "mark") as cam:
        scores = network(x.clone().requires_grad_())
        (maps,) = cam(scores=scores, normalized=False, targets=lambda logits: objective(logits[None])[0])
    return maps[0].detach()


def _method(source: PackageSource, name: str) -> ExternalMethod:
    samples = default_of(source.function(name, "__init__"), "num_samples")
    return ExternalMethod(
        name=f"{DISTRIBUTION}:{name.lower().replace('_', '')}",
        title=f"{name} of {DISTRIBUTION}",
        paper=f"the package {DISTRIBUTION} {version_of(DISTRIBUTION)}",
        year=0,
        distribution=DISTRIBUTION,
        module=MODULE,
        class_name=name,
        compute=raw_map,
        runs_per_channel=source.inherits(name, _PER_CHANNEL),
        samples=samples if isinstance(samples, int) else 1,
        own_name=OWN_NAMES.get(name, ""),
    )


def _why_unsuitable(source: PackageSource, name: str) -> str:
    if name in _UNSUITABLE:
        return _UNSUITABLE[name]
    if not source.inherits(name, _ROOT):
        return "it is built in another way than the package's other methods"
    more = set(required_arguments(source.function(name, "__init__"))) - {"model", "target_layer"}
    if more:
        return f"it needs more arguments: {', '.join(sorted(more))}"
    if not any(_takes_targets(found.functions.get("__init__")) for found in source.chain(name)):
        return "it explains the class of a classifier, not the score of a region"
    return ""


def _takes_targets(function: ast.FunctionDef | None) -> bool:
    """Return whether a constructor declares that its class takes any score."""
    return function is not None and any(
        isinstance(node, ast.Assign)
        and getattr(node.targets[0], "attr", "") == "_targets_supported"
        and getattr(node.value, "value", False) is True
        for node in ast.walk(function)
    )
