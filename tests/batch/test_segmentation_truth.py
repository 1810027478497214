"""DICOM Segmentations as true masks of a batch, of explain and of a comparison."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from batches import errors_in, rows_in
from dicom_objects.made_sources import COLUMNS, FRAMES, ROWS, folder_of_stills, gray_cine, gray_frames, rgb_cine, still
from dicom_objects.segmentation.made_masks import NETWORK, write_masks
from PIL import Image
from torch import nn

import napari_segcam as sc
from napari_segcam.batch.ground_truth import GroundTruth
from napari_segcam.batch.images import images_of
from napari_segcam.batch.options import ExplainOptions
from napari_segcam.batch.pairing import with_truths
from napari_segcam.batch.pipeline import ExplainPipeline
from napari_segcam.comparing.comparing import CompareOptions, Comparing
from napari_segcam.dicom_objects.segmentation.segment import Segment
from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.opening import open_cine
from napari_segcam.network.model_card import ModelCard


class Bright(nn.Module):
    """Its classes are where a pixel is brighter than 0.3505 and than 0.6025."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.body, self.head = nn.Conv2d(1, 1, 1), nn.Conv2d(1, classes, 1)
        biases = [-17.525, -30.125][:classes]
        for layer, weight, bias in ((self.body, [1.0], [0.0]), (self.head, [50.0] * classes, biases)):
            layer.weight = nn.Parameter(torch.tensor(weight).reshape(layer.weight.shape))
            layer.bias = nn.Parameter(torch.tensor(bias))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


def network_of(*names: str, classes: int | None = None) -> sc.Network:
    card = ModelCard(
        input_channels=1, normalization="unit", class_names=names, classes_overlap=(classes or len(names)) > 1
    )
    return sc.Network.from_module(Bright(classes or len(names)), card, "cpu")


def truth_of(frame: np.ndarray, count: int) -> np.ndarray:
    """Return the masks that the network would give, with an error in one corner."""
    masks = np.stack([frame > limit * 255 for limit in (0.3505, 0.6025)[:count]])
    masks[:, :8, :8] = True
    return masks


def write_truth(
    path: Path, image: Path, labels: Sequence[str] = ("organ", "core"), numbers: Sequence[int] | None = None
) -> Path:
    cine = open_cine(image)
    segments = [Segment(label, algorithm=NETWORK) for label in labels]
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_masks(
        path,
        SourceImages.of(cine),
        segments=segments,
        numbers=numbers,
        masks=lambda number: truth_of(np.asarray(cine[number]), len(labels)),
    )


@pytest.fixture
def image(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    return gray_cine(tmp_path / "images")


def test_a_batch_finds_the_segmentation_by_the_image_that_it_refers_to(image: Path, tmp_path: Path) -> None:
    still(tmp_path / "images")
    write_truth(tmp_path / "truth" / "from_the_pacs.dcm", image)
    write_truth(tmp_path / "truth" / "gray_cine.dcm", tmp_path / "images" / "still.dcm")  # the name says otherwise
    options = ExplainOptions(stages=["body"])
    network = network_of("organ", "core")
    list(sc.run_batch(tmp_path / "images", tmp_path / "run", network, options, truth=tmp_path / "truth"))
    assert errors_in(tmp_path / "run") == {}
    rows = [row for row in rows_in(tmp_path / "run") if row["image"] == "gray_cine.dcm"]
    assert len(rows) >= FRAMES
    frames = gray_frames()
    for row in rows:
        frame = frames[int(row["frame"])]
        mask, truth = frame > 0.3505 * 255, truth_of(frame, 1)[0]
        expected = 2 * np.count_nonzero(mask & truth) / (np.count_nonzero(mask) + np.count_nonzero(truth))
        assert float(row["dice"]) == pytest.approx(expected, abs=1e-6)
    assert any(row["image"] == "still.dcm" and row["dice"] for row in rows_in(tmp_path / "run"))


def test_one_segmentation_is_the_truth_of_all_stills_that_it_refers_to(tmp_path: Path) -> None:
    stills = folder_of_stills(tmp_path)
    write_truth(tmp_path / "truth" / "t.dcm", stills, ("organ",), numbers=[0, 2])
    images = with_truths(images_of(stills), tmp_path / "truth")
    assert [bool(image.truths) for image in images] == [True, False, True]
    for image in images[::2]:
        truth, cine = GroundTruth.of_image(image, network_of("organ"), None), open_cine(image.path)
        assert truth is not None
        truth.check(cine)
        assert np.array_equal(truth.mask(0, 0), truth_of(np.asarray(cine[0]), 1)[0])


def test_a_segmentation_among_the_images_is_no_image(image: Path, tmp_path: Path) -> None:
    write_truth(tmp_path / "images" / "segmentation.dcm", image)
    write_truth(tmp_path / "images" / "1.2.3", image)
    assert [found.name for found in images_of(tmp_path / "images")] == ["gray_cine.dcm"]
    (paired,) = with_truths(images_of(tmp_path / "images"), tmp_path / "images")
    assert {path.name for path in paired.truths} == {"segmentation.dcm", "1.2.3"}


@pytest.mark.parametrize("labels", [("Core", "ORGAN"), ("organ 1", "core 1"), ("organ", "core", "other thing")])
def test_segments_are_matched_by_label(labels: tuple[str, ...], image: Path, tmp_path: Path) -> None:
    cine, network = open_cine(image), network_of("organ", "core")
    segments = [Segment(label, algorithm=NETWORK) for label in labels]
    planes = np.random.default_rng(1).random((len(labels), ROWS, COLUMNS)) > 0.5
    path = write_masks(
        tmp_path / "truth.dcm", SourceImages.of(cine), segments=segments, masks=lambda number: planes ^ (number == 3)
    )
    truth = GroundTruth.of_file(path, network)
    truth.check(cine)
    for index, name in enumerate(network.class_names):
        (plane,) = (number for number, label in enumerate(labels) if label.lower().startswith(name))
        assert np.array_equal(truth.mask(0, index), planes[plane])
        assert np.array_equal(truth.mask(3, index), ~planes[plane])


def test_all_findings_of_a_class_are_its_mask(image: Path, tmp_path: Path) -> None:
    cine, network = open_cine(image), network_of("cyst")
    segments = [Segment("cyst", algorithm=NETWORK, finding=number) for number in (1, 2)]
    planes = np.zeros((2, ROWS, COLUMNS), bool)
    planes[0, 3:9, 4:8] = planes[1, 40:50, 60:90] = True
    path = write_masks(tmp_path / "truth.dcm", SourceImages.of(cine), segments=segments, masks=lambda _number: planes)
    truth = GroundTruth.of_file(path, network)
    truth.check(cine)
    assert np.array_equal(truth.mask(2, 0), planes.any(axis=0))


def test_a_segment_that_may_be_a_class_of_another_name_is_refused(image: Path, tmp_path: Path) -> None:
    path = write_truth(tmp_path / "truth.dcm", image, ("organ", "middle"))
    with pytest.raises(SegcamError, match="masks of middle, but none of core"):
        GroundTruth.of_file(path, network_of("organ", "core"))
    with pytest.raises(SegcamError, match="masks of nerve, but none of artery"):
        GroundTruth.of_file(write_truth(tmp_path / "nerve.dcm", image, ("nerve",)), network_of("artery"))


def test_the_only_segment_is_of_the_only_class_if_nobody_named_it(image: Path, tmp_path: Path) -> None:
    cine = open_cine(image)
    truth = GroundTruth.of_file(write_truth(tmp_path / "truth.dcm", image, ("nerve",)), network_of(classes=1))
    truth.check(cine)
    assert np.array_equal(truth.mask(0, 0), truth_of(np.asarray(cine[0]), 1)[0])


def test_a_class_without_a_segment_and_a_frame_that_nobody_looked_at_are_unknown(image: Path, tmp_path: Path) -> None:
    cine = open_cine(image)
    path = write_truth(tmp_path / "truth.dcm", image, ("organ",), numbers=[1, 2])
    truth = GroundTruth.of_file(path, network_of("organ", "core"))
    truth.check(cine)
    assert truth.mask(1, 0) is not None
    assert truth.mask(0, 0) is None
    assert truth.mask(1, 1) is None


def test_a_region_that_needs_a_mask_names_the_frame_without_one(image: Path, tmp_path: Path) -> None:
    cine = open_cine(image)
    network = network_of("organ")
    truth = GroundTruth.of_file(write_truth(tmp_path / "truth.dcm", image, ("organ",), numbers=[1, 2]), network)
    truth.check(cine)
    pipeline = ExplainPipeline(network, ExplainOptions(stages=["body"], region="false-positive"))
    with pytest.raises(SegcamError, match="Frame 3 has no true mask of organ, and the region false-positive needs"):
        list(pipeline.explanations(cine, [3], truth))


def test_a_segmentation_of_another_image_is_refused(image: Path, tmp_path: Path) -> None:
    truth = GroundTruth.of_file(write_truth(tmp_path / "truth.dcm", image), network_of("organ", "core"))
    with pytest.raises(SegcamError, match="of another image"):
        truth.check(open_cine(rgb_cine(tmp_path)))


def test_in_a_folder_of_segmentations_those_of_the_image_count(image: Path, tmp_path: Path) -> None:
    other = still(tmp_path)
    write_truth(tmp_path / "truth" / "a.dcm", other)
    write_truth(tmp_path / "truth" / "b.dcm", image)
    network, cine = network_of("organ", "core"), open_cine(image)
    truth = GroundTruth.of_file(tmp_path / "truth", network)
    truth.check(cine)
    assert np.array_equal(truth.mask(5, 1), truth_of(np.asarray(cine[5]), 2)[1])
    (tmp_path / "truth" / "b.dcm").unlink()
    with pytest.raises(SegcamError, match="No segmentation in"):
        GroundTruth.of_file(tmp_path / "truth", network).check(cine)


def test_two_masks_of_one_class_are_refused(image: Path, tmp_path: Path) -> None:
    path = write_truth(tmp_path / "truth" / "a.dcm", image)
    shutil.copy(path, tmp_path / "truth" / "b.dcm")
    truth = GroundTruth.of_file(tmp_path / "truth", network_of("organ", "core"))
    with pytest.raises(SegcamError, match=r"a\.dcm and b\.dcm both have"):
        truth.check(open_cine(image))


def test_images_that_are_no_dicom_are_compared_by_size_and_number(image: Path, tmp_path: Path) -> None:
    path = write_truth(tmp_path / "truth.dcm", image)
    frames, small = tmp_path / "frames", tmp_path / "small"
    for folder, shape in ((frames, (ROWS, COLUMNS)), (small, (ROWS, COLUMNS - 1))):
        folder.mkdir()
        for number, frame in enumerate(gray_frames()):
            Image.fromarray(frame[: shape[0], : shape[1]]).save(folder / f"{number}.png")
    truth = GroundTruth.of_file(path, network_of("organ", "core"))
    truth.check(open_cine(frames))
    assert np.array_equal(truth.mask(4, 0), truth_of(gray_frames()[4], 2)[0])
    with pytest.raises(SegcamError, match="but the image has 127×96"):
        truth.check(open_cine(small))


def test_two_networks_compare_with_a_segmentation_by_the_names_of_classes(image: Path, tmp_path: Path) -> None:
    write_truth(tmp_path / "truth" / "t.dcm", image)
    first, second = network_of("organ", "core"), network_of("core", "organ")  # the other names for the same channels
    (case,) = list(Comparing(first, second, image, None, CompareOptions(), truth=tmp_path / "truth"))
    assert case.error == ""
    frame = gray_frames()[2]
    organ, core = truth_of(frame, 2)
    of_a, of_b = frame > 0.3505 * 255, frame > 0.6025 * 255  # of the class organ
    (row,) = (row for row in case.rows if row["class"] == "organ" and row["frame"] == 2)
    assert row["truth_pixels"] == np.count_nonzero(organ) != np.count_nonzero(core)
    for name, mask in (("dice_a", of_a), ("dice_b", of_b)):
        expected = 2 * np.count_nonzero(mask & organ) / (np.count_nonzero(mask) + np.count_nonzero(organ))
        assert row[name] == pytest.approx(expected)
