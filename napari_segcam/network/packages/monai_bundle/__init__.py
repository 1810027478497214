"""MONAI bundles: ``configs/metadata.json``, ``configs/inference.json`` and ``models/model.pt``."""

from napari_segcam.network.packages.monai_bundle.folder import open_folder as open_folder
