"""Names of frames: numbers in a cine, file names in a folder of stills."""

from __future__ import annotations

from napari.layers import Layer

SOURCE = "segcam_source"  # the metadata key under which the reader notes what it knows of a file


def file_names(image: Layer | None) -> tuple[str, ...]:
    """Return the file name of each frame, for an image that was opened from a folder of stills; else none."""
    return () if image is None else tuple(image.metadata.get(SOURCE, {}).get("file_names", ()))


def is_dicom(image: Layer | None) -> bool:
    """Return whether an image was opened from a DICOM file or a folder of DICOM stills."""
    return image is not None and bool(image.metadata.get(SOURCE, {}).get("is_dicom"))


def frame_word(image: Layer | None) -> str:
    """Return what one frame is called: "image" in a folder of stills, "frame" in a cine."""
    return "image" if file_names(image) else "frame"


def frame_name(image: Layer | None, frame: int) -> str:
    """Return the name of one frame, for example "Frame 12" or "liver_3.png"."""
    names = file_names(image)
    return names[frame] if frame < len(names) else f"Frame {frame}"


def frame_in_words(image: Layer | None, frame: int) -> str:
    """Return one frame as words inside a sentence, for example "frame 12" or "image liver_3.png"."""
    names = file_names(image)
    return f"image {names[frame]}" if frame < len(names) else f"frame {frame}"
