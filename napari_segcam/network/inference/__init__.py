"""The inference form: exact rewrites of a network that save time and memory, one rewrite a file."""

from napari_segcam.network.inference.form import InferenceForm, inference_form

__all__ = ["InferenceForm", "inference_form"]
