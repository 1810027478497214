"""A cine that comes from a PACS: the job that receives it, and what the job says while it does."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from napari_segcam.imaging.dicom.object_kind import ObjectKind, kind_of_class
from napari_segcam.viewer.frames.arriving_frames import ArrivingFrames
from napari_segcam.viewer.layers.cine_layer_data import layer_data
from napari_segcam.viewer.layers.frame_names import SOURCE
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:
    from napari_segcam.imaging.cine import Cine
    from napari_segcam.imaging.dicomweb.arriving import Arrival, ArrivingCine
    from napari_segcam.imaging.dicomweb.found import FoundInstance
    from napari_segcam.viewer.pacs.connecting import Connect


_OF_IMAGES = (ObjectKind.SEGMENTATION, ObjectKind.PARAMETRIC_MAP)


@dataclass(frozen=True)
class Begun:
    """The first frame is here.

    Attributes:
        data, attributes: of a layer that shows the frames as they come.
    """

    data: ArrivingFrames
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Received:
    """More has come.

    Attributes:
        frames: that are here.
        total: frames of the cine; 0 while that is not known.
        size: bytes that are here.
    """

    frames: int
    total: int
    size: int


@dataclass(frozen=True)
class Complete:
    """The whole file is here.

    Attributes:
        data, attributes: of the layer that shows it, as if the file had been opened.
        notes: on how it was read, in sentences; empty if there are none.
    """

    data: Any
    attributes: dict[str, Any]
    notes: str


@dataclass(frozen=True)
class OfImage:
    """The whole file is here; it is a segmentation or a map, which belongs over its image.

    Attributes:
        path: of the file.
        kind: of its object.
    """

    path: Path
    kind: ObjectKind


Step = Begun | Received | Complete | OfImage


def arrival_job(
    connect: Connect,
    instance: FoundInstance,
    name: str,
    folder: Callable[[], Path],
    *,
    is_temporary: bool,
) -> Job:
    """Return a job that receives an image from a PACS; its results are a ``Step`` each.

    Cancelled or failed, it leaves no file.

    Args:
        connect: returns a client, for a function that returns whether to stop.
        instance: the image.
        name: of its layer.
        folder: returns where the file goes.
        is_temporary: whether that is deleted with the window.
    """

    def work() -> Iterator[Step]:
        from napari_segcam.imaging.dicomweb.arriving import ArrivingCine
        from napari_segcam.imaging.opening import open_cine

        kind = kind_of_class(instance.sop_class_uid)
        if kind in _OF_IMAGES:
            with connect(lambda: job.cancelled) as client:
                yield OfImage(client.fetch([instance], folder())[0], kind)
            return
        path: Path | None = None
        has_begun = False
        with connect(lambda: job.cancelled) as client, ExitStack() as stack:
            coming = cast("Generator[Arrival, None, None]", client.stream(instance, folder()))
            for arrival in stack.enter_context(closing(coming)):
                cine, path = arrival.cine, arrival.path
                if not has_begun and path is None and isinstance(cine, ArrivingCine) and len(cine) > 1:
                    has_begun = True
                    data, attributes = arriving_layer(cine, name)
                    yield Begun(data, attributes)
                yield Received(arrival.frames, arrival.total or 0, arrival.received)
        if path is not None:
            opened = open_cine(path)
            data, attributes = _layer(opened, name, is_temporary)
            yield Complete(data, attributes, " ".join(opened.notes))

    job = Job("pacs", f"Opening {name}", work)
    return job


def arriving_layer(cine: ArrivingCine, name: str) -> tuple[ArrivingFrames, dict[str, Any]]:
    """Return the data and attributes of a layer that shows the frames of a cine as they come."""
    received, attributes, _kind = layer_data(cine)
    attributes["metadata"][SOURCE]["path"] = None
    return ArrivingFrames(cine, cine.has, received), attributes | {"name": name, "multiscale": False}


def _layer(cine: Cine, name: str, is_temporary: bool) -> tuple[Any, dict[str, Any]]:
    data, attributes, _kind = layer_data(cine)
    attributes["metadata"][SOURCE] |= {
        "value_range_from": cine.black_and_white.reason,
        "notes": cine.notes,
        "is_temporary": is_temporary,
    }
    return data, attributes | {"name": name}
