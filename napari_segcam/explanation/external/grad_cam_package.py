"""The package grad-cam (Jacob Gildenblat): which of its methods can be used, and how they are called."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.external.external_method import ExternalMethod, version_of
from napari_segcam.explanation.external.marked_network import MarkedNetwork
from napari_segcam.explanation.external.package_source import PackageSource, required_arguments
from napari_segcam.explanation.targets.objective import Objective

DISTRIBUTION = "grad-cam"
MODULE = "pytorch_grad_cam"

OWN_NAMES = {
    "GradCAM": "gradcam",
    "GradCAMPlusPlus": "gradcam++",
    "LayerCAM": "layercam",
    "HiResCAM": "hirescam",
    "XGradCAM": "xgradcam",
    "GradCAMElementWise": "gradcam_elementwise",
    "EigenCAM": "eigencam",
    "EigenGradCAM": "eigengradcam",
    "SegEigenCAM": "seg-eigen-cam",
    "ScoreCAM": "scorecam",
    "AblationCAM": "ablationcam",
    "FinerCAM": "finercam",
}
"""Classes of the package → this package's names of the same methods."""

# It wraps another method, and its references are chosen here for a region, as the package does for a classifier.
_FINER_CAM = "FinerCAM"
_REFERENCES = 3

_UNSUITABLE = {
    "RefineCAM": "it multiplies the maps of several layers, so that no stage has one of its own",
    "SESS": "it explains windows cut out of the image, where the region is at another place",
}
# Methods of a class that combine its layers: with its own version of one, it has no map of a layer alone.
_COMBINING = ("forward", "__call__", "compute_cam_per_layer", "aggregate_multi_layers")
_ROOT = "BaseCAM"
_MAP_FUNCTIONS = ("get_cam_weights", "get_cam_image")

ScoreFunction = Callable[[torch.Tensor], torch.Tensor]


def find_methods() -> tuple[list[ExternalMethod], dict[str, str]]:
    """Return the methods of the installed package, and for each other class of CAMs why it cannot be used."""
    source = PackageSource(MODULE)
    methods: list[ExternalMethod] = []
    unsuitable: dict[str, str] = {}
    for name in source.public:
        if not source.inherits(name, _ROOT) and "base_method" not in _arguments(source, name):
            continue  # not a CAM
        if reason := _why_unsuitable(source, name):
            unsuitable[name] = reason
        else:
            methods.append(_method(source, name))
    return methods, unsuitable


def raw_map(class_name: str, network: MarkedNetwork, x: torch.Tensor, objective: Objective) -> torch.Tensor:
    """Return the package's map ``(h, w)`` before its ReLU and scaling.

    Its context manager is not used, as it hides an IndexError.

    Args:
        class_name: of the package.
        network: with its mark open.
        x: the input ``(1, C, H, W)``.
        objective: the explained score.
    """
    import pytorch_grad_cam

    cam = getattr(pytorch_grad_cam, class_name)(network, [network.mark])
    method = getattr(cam, "base_cam", cam)  # Finer-CAM wraps another method
    compute, maps = method.get_cam_image, []

    def keep(*arguments: Any, **options: Any) -> Any:
        maps.append(compute(*arguments, **options))
        return maps[-1]

    method.get_cam_image = keep
    chooses = class_name == _FINER_CAM and not objective.against  # else the objective is a difference already
    target = _finer_target(network, objective) if chooses else _score_of(objective)
    try:
        with _without_progress_bars():
            cam(x.clone().requires_grad_(), [target])
    finally:
        del method.get_cam_image
        method.activations_and_grads.release()
    return torch.as_tensor(np.asarray(maps[-1]))[0]


def _score_of(objective: Objective) -> ScoreFunction:
    """Return the objective as the package's target: a function of one image's logits ``(C, H, W)``."""
    return lambda logits: objective(logits[None])[0]


def _finer_target(network: MarkedNetwork, objective: Objective) -> ScoreFunction:
    """Return the package's target of Finer-CAM, for the mean score of each class over the region.

    As in the package, the class is compared with the three whose scores are nearest, each by its share of a softmax.

    Raises:
        SegcamError: if the network has only one class.
    """
    from pytorch_grad_cam.utils.model_targets import FinerWeightedTarget

    def class_scores(logits: torch.Tensor) -> torch.Tensor:
        each = [replace(objective, class_index=index, against=()) for index in range(len(logits))]
        return torch.stack([one(logits[None])[0] / one.pixels for one in each])

    if network.logits.shape[1] < 2:
        raise SegcamError("Finer-CAM explains one class against another, but this network has only one.")
    explained = objective.class_index
    scores = class_scores(network.logits[0])
    nearest = (scores - scores[explained]).abs().argsort().tolist()
    references = [index for index in nearest if index != explained][:_REFERENCES]
    target = FinerWeightedTarget(explained, references, 1)
    return lambda logits: target(class_scores(logits))


@contextmanager
def _without_progress_bars() -> Iterator[None]:
    """Keep the package's own progress bars off the terminal."""
    modules = [module for name, module in list(sys.modules.items()) if name.startswith(f"{MODULE}.")]
    bars = [(module, vars(module)["tqdm"]) for module in modules if "tqdm" in vars(module)]
    try:
        for module, _ in bars:
            vars(module)["tqdm"] = SimpleNamespace(tqdm=lambda items, *_arguments, **_options: items)
        yield
    finally:
        for module, tqdm in bars:
            vars(module)["tqdm"] = tqdm


def _method(source: PackageSource, name: str) -> ExternalMethod:
    functions = [source.function(name, function) for function in _MAP_FUNCTIONS]
    own = [function for function in functions if function is not None and function in _own(source, name)]
    return ExternalMethod(
        name=f"{DISTRIBUTION}:{name.lower().replace('_', '')}",
        title=f"{name.replace('_', '-')} of {DISTRIBUTION}",
        paper=f"the package {DISTRIBUTION} {version_of(DISTRIBUTION)}",
        year=0,
        knows_target=name == _FINER_CAM or any(_uses_target(function) for function in own),
        distribution=DISTRIBUTION,
        module=MODULE,
        class_name=name,
        compute=raw_map,
        runs_per_channel=any(_runs_network(function) for function in own),
        second_order=_keeps_graph(source.function(name, "__init__")),
        compares_pixels=any(_compares_pixels(function) for function in own),
        own_name=OWN_NAMES.get(name, ""),
    )


def _own(source: PackageSource, name: str) -> list[ast.FunctionDef]:
    """Return the methods of a class and of its ancestors, without the package's base class."""
    return [function for found in source.chain(name) if found.name != _ROOT for function in found.functions.values()]


def _why_unsuitable(source: PackageSource, name: str) -> str:
    if name in _UNSUITABLE:
        return _UNSUITABLE[name]
    if name == _FINER_CAM:
        return ""
    if not source.inherits(name, _ROOT):
        return "it is built in another way than the package's other methods"
    own_functions = {function.name for function in _own(source, name)}
    if own_functions & set(_COMBINING):
        return "it explains all layers together, so that no stage has a map of its own"
    more = set(required_arguments(source.function(name, "__init__"))) - {"model", "target_layers", "reshape_transform"}
    return f"it needs more arguments: {', '.join(sorted(more))}" if more else ""


def _arguments(source: PackageSource, name: str) -> list[str]:
    function = source.function(name, "__init__")
    return [argument.arg for argument in function.args.args] if function else []


def _uses_target(function: ast.FunctionDef) -> bool:
    """Return whether a method reads the target or the gradients of its score, its arguments after the layer."""
    arguments = [argument.arg for argument in function.args.args]
    names = {name for name in arguments if name.startswith(("target", "grad")) and not name.startswith("target_layer")}
    return any(isinstance(node, ast.Name) and node.id in names for node in ast.walk(function))


def _runs_network(function: ast.FunctionDef) -> bool:
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "model"
        for node in ast.walk(function)
    )


def _keeps_graph(function: ast.FunctionDef | None) -> bool:
    """Return whether a constructor asks for activations and gradients that can be differentiated again."""
    return function is not None and any(
        keyword.arg == "detach" and getattr(keyword.value, "value", True) is False
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
    )


def _compares_pixels(function: ast.FunctionDef) -> bool:
    """Return whether a method decomposes a stage's pixels even without the option to smooth the map."""
    optional = {
        id(inner)
        for node in ast.walk(function)
        if isinstance(node, ast.If) and "eigen_smooth" in ast.unparse(node.test)
        for branch in node.body
        for inner in ast.walk(branch)
    }
    return any(
        isinstance(node, ast.Call)
        and id(node) not in optional
        and getattr(node.func, "id", "").startswith("get_2d_projection")
        for node in ast.walk(function)
    )
