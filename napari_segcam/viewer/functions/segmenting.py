"""``segment``: the masks of an image as a napari function."""

from collections.abc import Generator
from typing import TYPE_CHECKING

import numpy as np
from napari.types import LabelsData

from napari_segcam.errors import SegcamError
from napari_segcam.viewer.functions.frame_runs import FunctionRequest, class_of, explanations, finish
from napari_segcam.viewer.functions.given_image import GivenImage, given_image
from napari_segcam.viewer.functions.networks import network_of, warn
from napari_segcam.viewer.functions.parameters import (
    CheckpointInput,
    ClassChoice,
    Device,
    ImageInput,
    InputRegion,
    Threshold,
)

# Annotations are objects here, not text: magicgui reads them, and finds no text's names in this file.
if TYPE_CHECKING:  # torch comes with these
    from napari_segcam.explanation.slow_methods.control import ProgressControl
    from napari_segcam.network.network import Network


def segment(
    image: ImageInput,
    checkpoint: CheckpointInput,
    class_name: ClassChoice = "",
    threshold: Threshold = None,
    input_region: InputRegion = "all",
    device: Device = "auto",
) -> LabelsData:
    """Segment an image or a cine with a checkpoint; magicgui makes a widget of this function as it is.

    Example:
        >>> labels = sc.segment(frame, network)
        >>> labels.shape == frame.shape, int(labels.max())
        (True, 1)

    Args:
        image: The image or cine: a layer, an array, a list of frames, a cine from open_cine, or a file.
        checkpoint: The trained network: a file, or a network from load_network.
        class_name: Only this class, by name or number. Empty: all classes.
        threshold: On the probability, for one class and for classes that overlap.
        input_region: What the network sees: all of the frame, or the scan alone.
        device: Where the network runs. Auto: as in the preferences, or else CUDA, MPS or CPU, the first that is there.

    Returns:
        Labels uint8, ``(Y, X)`` for a still and ``(T, Y, X)`` for a cine: 0 is background; a single class is 1, and of
        several classes each has its number.

    Raises:
        SegcamError: if the image or the checkpoint cannot be used, the network gives no mask, or its classes overlap
            and none is chosen: one Labels layer cannot hold them all.
    """
    given = given_image(image)
    request = FunctionRequest(class_name=class_name, threshold=threshold, input_region=input_region)
    network = network_of(checkpoint, device, warn)
    return finish(segment_frames(given, network, request), len(given.cine), f"Segmenting {given.name}")


def segment_frames(
    image: GivenImage, network: "Network", request: FunctionRequest, control: "ProgressControl | None" = None
) -> Generator[int, None, LabelsData]:
    """Segment all frames of an image, and yield after each how many are done; return what ``segment`` returns."""
    if not network.segments:
        raise SegcamError("This network classifies the whole frame: it gives no mask. Use explain instead.")
    class_name, overlap = request.class_name, network.classes_overlap and network.classes > 1
    if overlap and class_name == "":
        names = ", ".join(network.class_names)
        raise SegcamError(
            f"The classes of this network overlap, and one Labels layer cannot hold them: choose a class ({names}), "
            "once for each that you need."
        )
    index = None if class_name == "" else class_of(network, class_name)
    rows, columns = image.cine.frame_shape[:2]
    labels = np.zeros((len(image.cine), rows, columns), np.uint8)
    for number, explanation in enumerate(explanations(image, network, request, control)):
        if overlap:
            assert index is not None
            labels[number] = explanation.class_mask(index)
        elif index is None:
            labels[number] = explanation.mask
        else:
            labels[number] = np.where(explanation.class_mask(index), explanation.mask, 0)
        yield number + 1
    return LabelsData(labels if image.has_frames else labels[0])
