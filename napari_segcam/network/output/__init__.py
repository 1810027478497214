"""The output of a network: which of the tensors that it returns is read, and how it becomes logits."""

from napari_segcam.network.output.reading import OutputReading, read_output

__all__ = ["OutputReading", "read_output"]
