"""``explain``: the heatmaps of an image as a napari function."""

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from napari.types import LayerDataTuple

from napari_segcam.viewer.functions.frame_runs import FunctionRequest, explanations, finish
from napari_segcam.viewer.functions.given_image import GivenImage, given_image
from napari_segcam.viewer.functions.heatmap_data import StageFrames
from napari_segcam.viewer.functions.networks import network_of, warn
from napari_segcam.viewer.functions.parameters import (
    CheckpointInput,
    ClassChoice,
    Device,
    ImageInput,
    InputRegion,
    MethodName,
    RegionChoice,
    StageChoice,
    Threshold,
)

# Annotations are objects here, not text: magicgui reads them, and finds no text's names in this file.
if TYPE_CHECKING:  # torch comes with these
    from napari_segcam.explanation.slow_methods.control import ProgressControl
    from napari_segcam.network.network import Network


def explain(
    image: ImageInput,
    checkpoint: CheckpointInput,
    stages: StageChoice = "main",
    method: MethodName = "gradcam",
    class_name: ClassChoice = "",
    region: RegionChoice = "mask",
    threshold: Threshold = None,
    input_region: InputRegion = "all",
    device: Device = "auto",
) -> list[LayerDataTuple]:
    """Explain where a network looked: one heatmap a stage; magicgui makes a widget of this function as it is.

    Example:
        >>> for data, attributes, kind in sc.explain(frame, network, stages=["encoder_4"]):
        ...     print(kind, attributes["name"], data.shape, attributes["scale"])
        image encoder_4 gradcam (image) (16, 20) [16. 16.]

    Args:
        image: The image or cine: a layer, an array, a list of frames, a cine from open_cine, or a file.
        checkpoint: The trained network: a file, or a network from load_network.
        stages: Which stages get a heatmap: a group, or names from napari-segcam inspect.
        method: How activations and gradients become a heatmap. Those that run the network often are slow.
        class_name: The class that is explained, by name or number. Empty: the first that is not the background.
        region: The pixels whose score is explained: the mask, the whole image, or a bool array.
        threshold: Of the mask, on the probability.
        input_region: What the network sees: all of the frame, or the scan alone.
        device: Where the network runs. Auto: as in the preferences, or else CUDA, MPS or CPU, the first that is there.

    Returns:
        One layer ``(data, attributes, "image")`` a stage, in the network's order. The data are raw values, float32
        ``(h, w)`` or ``(T, h, w)`` at the stage's resolution; scale and translation lay them on the image. For frames
        whose map is empty, ``metadata["segcam"]["reasons"]`` says why, by the frame's number.

    Raises:
        SegcamError: if the image, the checkpoint or a choice cannot be used.
    """
    given = given_image(image)
    request = FunctionRequest(stages, method, class_name, region, threshold, input_region)
    network = network_of(checkpoint, device, warn)
    layers = finish(explain_frames(given, network, request), len(given.cine), f"Explaining {given.name}")
    for words in empty_words(layers):
        warn(words)
    return layers


def explain_frames(
    image: GivenImage, network: "Network", request: FunctionRequest, control: "ProgressControl | None" = None
) -> Generator[int, None, list[LayerDataTuple]]:
    """Explain all frames of an image, and yield after each how many are done; return what ``explain`` returns."""
    frames: dict[str, StageFrames] = {}
    facts: dict[str, Any] = {}
    for number, explanation in enumerate(explanations(image, network, request, control)):
        for name, heatmap in explanation.heatmaps.items():
            frames.setdefault(name, StageFrames(len(image.cine))).enter(number, heatmap)
        index = explanation.target.class_index or 0
        facts = {"method": explanation.method, "class": explanation.class_names[index], "network": network.name}
        yield number + 1
    encoder = [name for name, stage_frames in frames.items() if stage_frames.kind == "encoder"]
    shown = (encoder or list(frames))[-1:]
    return [stage_frames.layer(image, facts, visible=name in shown) for name, stage_frames in frames.items()]


def empty_words(layers: list[LayerDataTuple]) -> list[str]:
    """Return what to say about layers that show nothing in any frame, once for each reason."""
    stages: dict[str, list[str]] = {}
    for data, attributes, _ in layers:
        facts = attributes["metadata"]["segcam"]
        reasons = facts["reasons"]
        if len(reasons) == (len(data) if data.ndim == 3 else 1):
            stages.setdefault(" and ".join(sorted(set(reasons.values()))), []).append(facts["explained"])
    return [f"There is no heat at {', '.join(names)}: {reason}." for reason, names in stages.items()]
