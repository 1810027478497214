"""A batch takes research files: what counts as an image, which mask goes with it, and what a list may name."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
from batches import SIDE, errors_in
from PIL import Image
from scipy.io import savemat

import napari_segcam as sc
from napari_segcam.batch.images import images_of
from napari_segcam.batch.pairing import with_truths, without_masks

FRAMES = np.random.default_rng(0).integers(0, 255, (2, SIDE, SIDE), dtype=np.uint8)
MASKS = np.zeros((2, SIDE, SIDE), np.uint8)
MASKS[:, 10:30, 20:50] = 1


def write_nifti(path: Path, frames: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(frames.transpose(2, 1, 0), np.diag([-0.2, -0.3, 1, 1])), path)


def test_arrays_beside_an_image_of_their_name_are_no_images(tmp_path: Path) -> None:
    Image.fromarray(FRAMES[0]).save(tmp_path / "a.png")
    savemat(tmp_path / "a.mat", {"outline": FRAMES})
    np.save(tmp_path / "b.npy", FRAMES)
    (tmp_path / "c.h5").write_bytes(b"no HDF5")
    write_nifti(tmp_path / "d.nii.gz", FRAMES)
    images = images_of(tmp_path)
    assert [image.name for image in images] == ["a.png", "b.npy", "d.nii.gz"]
    assert [image.picture_name for image in images] == ["a", "b", "d"]


def test_nifti_images_and_masks_go_together(network: sc.Network, tmp_path: Path) -> None:
    for name in ("p1_2CH", "p2_2CH"):
        write_nifti(tmp_path / "data" / name / f"{name}.nii.gz", FRAMES)
        write_nifti(tmp_path / "data" / name / f"{name}_gt.nii.gz", MASKS)
    data = tmp_path / "data"
    images = without_masks(images_of(data))
    assert [image.name for image in images] == ["p1_2CH/p1_2CH.nii.gz", "p2_2CH/p2_2CH.nii.gz"]
    paired = with_truths(images, data)
    assert [image.truth_name for image in paired] == ["p1_2CH/p1_2CH_gt.nii.gz", "p2_2CH/p2_2CH_gt.nii.gz"]
    results = list(sc.run_batch(data, tmp_path / "run", network, sc.ExplainOptions(), truth=data))
    assert [(result.image, result.error) for result in results] == [(image.name, "") for image in images]
    assert all(row["truth_pixels"] == 600 for result in results for row in result.rows)


def test_a_list_names_what_is_meant_of_a_file(network: sc.Network, tmp_path: Path) -> None:
    np.savez(tmp_path / "case.npz", images=FRAMES.transpose(2, 0, 1), masks=MASKS)
    (tmp_path / "list.csv").write_text("image,truth\ncase.npz::images::XTY,case.npz::masks\ncase.npz,\n")
    named, _ = sc.run_batch(tmp_path / "list.csv", tmp_path / "run", network, sc.ExplainOptions())
    assert named.error == ""
    assert {row["truth_pixels"] for row in named.rows} == {600}
    assert "case.npz::images" in errors_in(tmp_path / "run")["case.npz"]
    again, _ = sc.run_batch(tmp_path / "list.csv", tmp_path / "run", network, sc.ExplainOptions())
    assert again.earlier
