"""Packages of the bioimage.io model zoo: ``rdf.yaml`` or ``bioimageio.yaml`` with weights and test tensors."""

from napari_segcam.network.packages.bioimageio.folder import open_folder as open_folder
