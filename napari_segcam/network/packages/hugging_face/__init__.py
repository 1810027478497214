"""Folders of Hugging Face's transformers: ``config.json`` with the weights, of networks for semantic segmentation."""

from napari_segcam.network.packages.hugging_face.folder import open_folder as open_folder
