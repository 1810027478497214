"""Choose which of a network's outputs is read, and turn it into logits."""

from napari_segcam.network.output.reading import OutputReading, read_output

__all__ = ["OutputReading", "read_output"]
