"""Every format gives back the pixels of the frames and of their masks."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from batches import write_checkpoint
from made_review import CLASS, FRAMES, PAINTED, SIDE, Rater, new_project
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_masks
from pycocotools.coco import COCO

import napari_segcam as sc
from napari_segcam.errors import SegcamError
from napari_segcam.review.creating import create_project
from napari_segcam.review.export.exporting import write_export
from napari_segcam.review.export.options import ExportOptions
from napari_segcam.review.project import ReviewProject

SETTLED = {f"image_{number}" for number in range(7)} | {f"cine_frame_{number:04d}" for number in range(3)}
"""What anna accepted or corrected."""


@pytest.fixture(scope="module")
def network(study: ReviewProject) -> sc.Network:
    return sc.load_network(str(study.folder.parent / "unet.pth"), "cpu")


@pytest.fixture(scope="module")
def truth(study: ReviewProject, network: sc.Network) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """The frame and the mask of each name, without the code of the export."""
    explainer = sc.Explainer(network, stages=[], threshold=0.5)
    pairs = {}
    for case in study.cases:
        cine = sc.open_cine(study.image_path(case))
        for number, frame in enumerate(cine):
            name = case.name if len(cine) == 1 else f"{case.name}_frame_{number:04d}"
            name = name.replace(".png", "").replace(".tif", "")
            mask = explainer(frame, sc.Target(region="image"), cine.value_range).mask
            pairs[name] = (frame, mask)
    for name in ("image_5", "image_6", "cine_frame_0002"):
        pairs[name] = (pairs[name][0], PAINTED["anna"])
    return pairs


def export(study: ReviewProject, out: Path, **options: Any) -> Path:
    (exported,) = write_export(study.folder, out, ExportOptions(**{"rater": "anna", **options}))
    assert exported.folder == out
    return out


def pixels(path: Path) -> NDArray[Any]:
    with Image.open(path) as image:
        return np.asarray(image)


def test_png(study: ReviewProject, truth: dict[str, Any], tmp_path: Path) -> None:
    out = export(study, tmp_path / "out")
    assert {path.stem for path in (out / "masks").iterdir()} == SETTLED
    for name in SETTLED:
        frame, mask = truth[name]
        assert np.array_equal(pixels(out / "images" / f"{name}.png"), frame)
        assert np.array_equal(pixels(out / "masks" / f"{name}.png"), mask)
    assert json.loads((out / "classes.json").read_text()) == {"background": 0, CLASS: 1}
    assert any(truth[name][1].any() for name in SETTLED - {"image_5", "image_6", "cine_frame_0002"})


def test_nifti(study: ReviewProject, truth: dict[str, Any], tmp_path: Path) -> None:
    out = export(study, tmp_path / "out", format="nifti")
    for name in SETTLED:
        for part, expected in zip(("images", "masks"), truth[name], strict=True):
            volume = nibabel.load(out / part / f"{name}.nii.gz")
            assert volume.shape == (SIDE, SIDE, 1)
            assert volume.get_data_dtype() == np.uint8
            assert np.array_equal(np.asarray(volume.dataobj)[:, :, 0].T, expected)
            assert np.array_equal(volume.affine, np.diag([-1, -1, 1, 1]))
            assert volume.header.get_xyzt_units()[0] == "unknown"


def read_like_nnunet(out: Path) -> dict[str, Any]:
    """Check a folder by the rules of nnU-Net's verify_dataset_integrity; return its dataset.json."""
    dataset = json.loads((out / "dataset.json").read_text())
    assert {"labels", "channel_names", "numTraining", "file_ending"} <= dataset.keys()
    ending, labels = dataset["file_ending"], dataset["labels"]
    assert labels["background"] == 0
    assert sorted(labels.values()) == list(range(len(labels)))
    files = [path.name for path in (out / "imagesTr").iterdir()]
    assert all(name.endswith(ending) for name in files)
    identifiers = {name[: -len(ending) - 5] for name in files}
    assert len(identifiers) == dataset["numTraining"]
    assert {path.name for path in (out / "labelsTr").iterdir()} == {f"{name}{ending}" for name in identifiers}
    for name in identifiers:
        channels = sorted(file for file in files if file[: -len(ending) - 5] == name)
        assert channels == [f"{name}_{number:04d}{ending}" for number in range(len(channels))]
        images = [_channels(out / "imagesTr" / file) for file in channels]
        assert sum(map(len, images)) == len(dataset["channel_names"])
        mask = _channels(out / "labelsTr" / f"{name}{ending}")
        assert all(image.shape[1:] == mask.shape[1:] for image in images)
        assert set(np.unique(mask)) <= set(labels.values())
    return dataset


def _channels(path: Path) -> NDArray[Any]:
    if path.name.endswith(".nii.gz"):
        volume = nibabel.load(path)
        assert volume.ndim == 3
        return np.asarray(volume.dataobj)[None]
    values = pixels(path)
    return values[None] if values.ndim == 2 else values.transpose(2, 0, 1)


@pytest.mark.parametrize("ending", [".png", ".nii.gz"])
def test_nnunet(study: ReviewProject, truth: dict[str, Any], tmp_path: Path, ending: str) -> None:
    out = export(study, tmp_path / "out", format="nnunet", file_ending=ending)
    dataset = read_like_nnunet(out)
    assert dataset["labels"] == {"background": 0, CLASS: 1}
    assert dataset["numTraining"] == len(SETTLED)
    for name in SETTLED:
        image, mask = (
            _channels(out / part)[0].squeeze() for part in (f"imagesTr/{name}_0000{ending}", f"labelsTr/{name}{ending}")
        )
        if ending == ".nii.gz":
            image, mask = image.T, mask.T
        assert np.array_equal(image, truth[name][0])
        assert np.array_equal(mask, truth[name][1])


def test_coco(study: ReviewProject, truth: dict[str, Any], tmp_path: Path) -> None:
    out = export(study, tmp_path / "out", format="coco")
    coco = COCO(str(out / "annotations.json"))
    assert [category["name"] for category in coco.loadCats(coco.getCatIds())] == [CLASS]
    names = {image["file_name"].removesuffix(".png"): image["id"] for image in coco.loadImgs(coco.getImgIds())}
    assert names.keys() == SETTLED
    for name, number in names.items():
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=[number]))
        total = np.zeros((SIDE, SIDE), np.uint8)
        for annotation in annotations:
            mask = coco.annToMask(annotation)
            total += mask
            assert annotation["area"] == mask.sum() == coco_masks.area(annotation["segmentation"])
            assert annotation["bbox"] == coco_masks.toBbox(annotation["segmentation"]).tolist()
            assert annotation["iscrowd"] == 0
        assert np.array_equal(total, truth[name][1])


def test_provenance(study: ReviewProject, tmp_path: Path) -> None:
    out = export(study, tmp_path / "out")
    with (out / "provenance.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert rows.keys() == SETTLED
    log = {event.n: event for event in study.read_log("anna").events}
    for row in rows.values():
        case = study.case(row["case"])
        assert (row["source"], row["source_sha256"]) == (case.path, case.sha256)
        assert row["checkpoint_sha256"] == study.checkpoints[0].sha256[0]
        assert row["rater"] == "anna"
        events = [log[int(number)] for number in row["events"].split("; ")]
        assert {event.case for event in events} == {case.id}  # type: ignore[union-attr]
        assert events[0].kind == "verdict"
        assert (out / row["images"]).is_file()
        assert (out / row["mask"]).is_file()
    painted = {name for name, row in rows.items() if row["mask_from"] == "correction"}
    assert painted == {"image_5", "image_6", "cine_frame_0002"}
    assert {row["verdict"] for name, row in rows.items() if name not in painted} == {"accept"}
    record = json.loads((out / "provenance.json").read_text())
    assert record["left_out"] == {"verdict “reject”, which is not exported": 2}
    assert len(SETTLED) + 2 == FRAMES + 8


def test_nnunet_gives_gray_frames_the_colors_of_others(tmp_path: Path) -> None:
    project = new_project(tmp_path, classes=1)
    colored = np.random.default_rng(2).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
    Image.fromarray(colored).save(tmp_path / "images" / "color.png")
    project = create_project(tmp_path / "color.segcam-review", tmp_path / "images", [tmp_path / "unet.pth"])
    with Rater(project, "anna") as rater:
        for name in ("color", "image_0"):
            rater.paint(name, PAINTED["anna"])
    for ending in (".png", ".nii.gz"):
        out = export(project, tmp_path / f"out{ending}", format="nnunet", file_ending=ending)
        assert read_like_nnunet(out)["channel_names"] == {"0": "R", "1": "G", "2": "B"}
    png = tmp_path / "out.png" / "imagesTr"
    assert np.array_equal(pixels(png / "color_0000.png"), colored)
    gray = pixels(tmp_path / "images" / "image_0.png")
    assert np.array_equal(pixels(png / "image_0_0000.png"), np.stack([gray] * 3, -1))


def test_nnunet_refuses_to_cut_the_values_of_16_bits(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    generator = np.random.default_rng(2)
    Image.fromarray(generator.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)).save(images / "color.png")
    deep = generator.integers(0, 65535, (SIDE, SIDE), dtype=np.uint16)
    Image.fromarray(deep).save(images / "deep.png")
    project = create_project(tmp_path / "deep.segcam-review", images, [write_checkpoint(tmp_path / "unet.pth")])
    with Rater(project, "anna") as rater:
        for name in ("color", "deep"):
            rater.paint(name, PAINTED["anna"])
    with pytest.raises(SegcamError, match=r"deep has 16 bits.*\.nii\.gz"):
        export(project, tmp_path / "out", format="nnunet")
    assert not (tmp_path / "out").exists()
    export(project, tmp_path / "out", format="nnunet", file_ending=".nii.gz")
    png = export(project, tmp_path / "png")
    assert np.array_equal(pixels(png / "images" / "deep.png"), deep)


def test_nifti_keeps_the_spacing_and_the_values(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    frame = np.random.default_rng(4).normal(size=(40, SIDE)).astype(np.float32)
    source = nibabel.Nifti1Image(frame.T[:, :, None], np.diag([0.2, 0.3, 1, 1]))
    source.header.set_xyzt_units("mm")
    nibabel.save(source, images / "deep.nii.gz")
    project = create_project(tmp_path / "p.segcam-review", images, [write_checkpoint(tmp_path / "unet.pth")])
    cine = sc.open_cine(images / "deep.nii.gz")
    mask = np.zeros(cine.frame_shape, np.uint8)
    mask[3:9, 5:20] = 1
    with Rater(project, "anna") as rater:
        rater.paint("deep", mask, started_from=None)
    out = export(project, tmp_path / "out", format="nifti")
    for part, expected in (("images", cine[0]), ("masks", mask)):
        volume = nibabel.load(out / part / "deep.nii.gz")
        assert np.array_equal(np.asarray(volume.dataobj)[:, :, 0].T, expected)
        assert volume.header.get_xyzt_units()[0] == "mm"
        assert cine.spacing_mm is not None
        assert volume.header.get_zooms()[:2] == pytest.approx(cine.spacing_mm[::-1])
    again = sc.open_cine(out / "images" / "deep.nii.gz")
    assert again.spacing_mm == pytest.approx(cine.spacing_mm)
