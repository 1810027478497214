"""Opening a file over its image: found among the layers, near the file, or asked for; refused where it is another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import napari
import numpy as np
import pydicom
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from opened import Open, random_masks, source_file, write_segmentation
from pydicom.uid import generate_uid

from napari_segcam.errors import SegcamError
from napari_segcam.viewer import overlay_reader
from napari_segcam.viewer.reader import get_reader
from napari_segcam.viewer.review.question import Answer
from napari_segcam.viewer.segmentations import opening


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """A function that answers questions: None for the safe answer, a path for the image that is chosen."""

    def answer_with(*choices: Path | None) -> list[str]:
        questions: list[str] = []
        left = list(choices)

        def ask(_viewer: ViewerModel, text: str, facts: Sequence[str], answers: Sequence[Answer]) -> object:
            questions.append(" ".join([text, *facts]))
            answers[0 if left[0] is None else 1].act()
            return True

        def choose(*_: Any) -> tuple[str, str]:
            return str(left.pop(0)), ""

        monkeypatch.setattr(opening, "ask", ask)
        monkeypatch.setattr(opening.QFileDialog, "getOpenFileName", choose)
        return questions

    return answer_with


def changed(path: Path, target: Path, **elements: Any) -> Path:
    """Write a copy of a DICOM file with other elements."""
    header = pydicom.dcmread(path)
    for keyword, value in elements.items():
        setattr(header, keyword, value)
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    target.parent.mkdir(parents=True, exist_ok=True)
    header.save_as(target)
    return target


@pytest.mark.filterwarnings("ignore:End of file reached:UserWarning")
@pytest.mark.parametrize(
    ("image_in", "file_in"),
    [("study", "study"), ("study/us", "study/seg"), ("study", "study/seg"), ("study/us", "study")],
)
def test_the_image_is_found_near_the_file(
    viewer: ViewerModel, open_files: Open, shown: list[str], tmp_path: Path, image_in: str, file_in: str
) -> None:
    source = source_file(tmp_path / image_in, "gray_cine")
    source = source.rename(source.with_name("IM0007"))
    (tmp_path / file_in).mkdir(exist_ok=True)
    masks = random_masks(source, 1)
    file = write_segmentation(source, tmp_path / file_in / "m.dcm", masks)
    source_file(tmp_path / image_in, "still")
    (tmp_path / file_in / "notes.txt").write_text("no DICOM")
    (tmp_path / file_in / "broken.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 40)
    open_files(viewer, file)
    image, labels = viewer.layers
    assert image.name == "IM0007"
    np.testing.assert_array_equal(labels.data > 0, masks[:, 0])
    assert shown == ["m.dcm belongs to IM0007, which was opened with it."]


def test_a_folder_of_stills_is_found_near_the_file(viewer: ViewerModel, open_files: Open, tmp_path: Path) -> None:
    folder = source_file(tmp_path / "study", "folder_of_stills")
    masks = random_masks(folder, 1)
    (tmp_path / "study" / "seg").mkdir()
    open_files(viewer, write_segmentation(folder, tmp_path / "study" / "seg" / "m.dcm", masks))
    image, labels = viewer.layers
    assert image.data.shape[0] == len(masks)
    np.testing.assert_array_equal(labels.data > 0, masks[:, 0])


@pytest.mark.parametrize("image_first", [True, False])
def test_files_that_are_opened_together(
    viewer: ViewerModel, open_files: Open, tmp_path: Path, image_first: bool
) -> None:
    source = source_file(tmp_path / "a", "gray_cine")
    files = []
    for name in "mn":
        (tmp_path / name).mkdir()
        files.append(write_segmentation(source, tmp_path / name / f"{name}.dcm", random_masks(source, 1)))
    open_files(viewer, *([source, *files] if image_first else [*files, source]))
    assert [layer.name for layer in viewer.layers] == ["gray_cine", "fibroid (m.dcm)", "fibroid (n.dcm)"]
    open_files(viewer, files[0])  # once more
    assert [type(layer) for layer in viewer.layers] == [Image, Labels, Labels, Labels]


def test_two_files_without_their_image_open_it_once(viewer: ViewerModel, open_files: Open, tmp_path: Path) -> None:
    source = source_file(tmp_path, "gray_cine")
    files = [write_segmentation(source, tmp_path / f"{name}.dcm", random_masks(source, 1)) for name in "mn"]
    open_files(viewer, *files)
    assert [type(layer) for layer in viewer.layers] == [Image, Labels, Labels]


def test_a_folder_opens_with_its_segmentations(
    viewer: ViewerModel, open_files: Open, shown: list[str], tmp_path: Path
) -> None:
    exam, other = tmp_path / "exam", tmp_path / "other"
    source, elsewhere = source_file(exam, "gray_cine"), source_file(other, "still")
    source_file(exam, "rgb_cine")
    write_segmentation(source, exam / "m.dcm", random_masks(source, 1))
    write_segmentation(elsewhere, exam / "n.dcm", random_masks(elsewhere, 1))
    open_files(viewer, exam)
    assert [layer.name for layer in viewer.layers] == ["gray_cine", "rgb_cine", "fibroid (m.dcm)"]
    assert shown == ["n.dcm is about an image that is not in its folder: open it by itself."]


def test_an_image_that_is_not_there_is_asked_for(
    viewer: ViewerModel, open_files: Open, answer: Callable[..., list[str]], tmp_path: Path
) -> None:
    source = source_file(tmp_path / "a" / "b", "gray_cine")
    (tmp_path / "x" / "y").mkdir(parents=True)
    masks = random_masks(source, 1)
    file = write_segmentation(source, tmp_path / "x" / "y" / "m.dcm", masks)
    other = source_file(tmp_path / "far" / "other", "still")
    sibling = changed(source, tmp_path / "far" / "sibling" / "next.dcm", SOPInstanceUID=generate_uid())
    questions = answer(other, sibling, source)
    open_files(viewer, file)
    assert [layer.name for layer in viewer.layers] == ["gray_cine", "fibroid (m.dcm)"]
    np.testing.assert_array_equal(viewer.layers[1].data > 0, masks[:, 0])
    assert questions[0].startswith("The image that m.dcm belongs to is not open, nor near it.")
    assert "patient ID P-gray_cine" in questions[0]
    assert "frames of 128 × 96 pixels" in questions[0]
    assert questions[1].startswith("still.dcm is of another patient than m.dcm.")
    assert questions[2].startswith("next.dcm is not the image that m.dcm was made of.")
    assert len(questions) == 3

    viewer.layers.clear()
    assert len(answer(None)) == 0
    open_files(viewer, file)
    assert not viewer.layers


def test_a_chosen_file_beside_the_image_is_enough(
    viewer: ViewerModel, open_files: Open, answer: Callable[..., list[str]], tmp_path: Path
) -> None:
    folder = source_file(tmp_path / "a" / "b", "folder_of_stills")
    (tmp_path / "x" / "y").mkdir(parents=True)
    file = write_segmentation(folder, tmp_path / "x" / "y" / "m.dcm", random_masks(folder, 1), frames=[0, 1])
    answer(sorted(folder.iterdir())[2])
    open_files(viewer, file)
    assert viewer.layers[0].data.shape[0] == 3


def test_without_a_window_to_ask_in_there_is_a_message(
    viewer: ViewerModel, open_files: Open, shown: list[str], tmp_path: Path
) -> None:
    source = source_file(tmp_path / "a" / "b", "gray_cine")
    (tmp_path / "x" / "y").mkdir(parents=True)
    open_files(viewer, write_segmentation(source, tmp_path / "x" / "y" / "m.dcm", random_masks(source, 1)))
    assert not viewer.layers
    assert shown == ["The image that m.dcm belongs to is not open, nor near it. Open the image first."]


def test_an_image_of_another_patient_or_size_is_refused(
    viewer: ViewerModel, open_files: Open, shown: list[str], tmp_path: Path
) -> None:
    source = source_file(tmp_path, "gray_cine")
    masks = random_masks(source, 1)
    file = write_segmentation(source, tmp_path / "m.dcm", masks)
    mixed = changed(file, tmp_path / "mixed.dcm", PatientID="P-0815")
    pixels = pydicom.dcmread(source).PixelData
    smaller = changed(source, tmp_path / "far" / "away" / "smaller.dcm", Rows=48, PixelData=pixels[: len(pixels) // 2])
    open_files(viewer, source, mixed)
    assert len(viewer.layers) == 1
    viewer.layers.clear()
    open_files(viewer, smaller, file)
    assert [layer.name for layer in viewer.layers] == ["smaller"]
    assert shown == [
        "mixed.dcm is not opened: gray_cine is of another patient than mixed.dcm.",
        "m.dcm is not opened: smaller has frames of 128 × 48 pixels, but m.dcm is about 128 × 96.",
    ]


def test_a_damaged_file_is_one_error_and_the_next_one_opens(
    viewer: ViewerModel, open_files: Open, shown: list[str], tmp_path: Path
) -> None:
    source = source_file(tmp_path, "gray_cine")
    file = write_segmentation(source, tmp_path / "m.dcm", random_masks(source, 1))
    cut = tmp_path / "cut.dcm"
    cut.write_bytes(file.read_bytes()[:2000])
    open_files(viewer, source, cut, file)
    assert [layer.name for layer in viewer.layers] == ["gray_cine", "fibroid (m.dcm)"]
    assert len(shown) == 1
    assert "cut.dcm" in shown[0]


def test_an_image_that_is_removed_meanwhile(
    viewer: ViewerModel, open_files: Open, shown: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = source_file(tmp_path, "gray_cine")
    file = write_segmentation(source, tmp_path / "m.dcm", random_masks(source, 1))
    open_files(viewer, source)
    looked_at = opening.open_images

    def look_and_remove(viewer: ViewerModel) -> Any:
        images = looked_at(viewer)
        viewer.layers.clear()
        return images

    monkeypatch.setattr(opening, "open_images", look_and_remove)
    open_files(viewer, file)
    assert not viewer.layers
    assert shown == ["gray_cine was removed meanwhile: open m.dcm again."]


def test_a_script_without_a_window_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(napari, "current_viewer", lambda: None)
    source = source_file(tmp_path, "gray_cine")
    path = str(write_segmentation(source, tmp_path / "m.dcm", random_masks(source, 1)))
    with pytest.raises(SegcamError, match=r"m\.dcm is a segmentation of another image: open it in a napari window"):
        get_reader(path)(path)


def test_reports_and_documents_say_what_they_are(
    viewer: ViewerModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = source_file(tmp_path, "gray_cine")
    report = changed(source, tmp_path / "report.dcm", SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33")
    header = pydicom.dcmread(report)
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID
    header.save_as(report)
    words: list[str] = []
    monkeypatch.setattr(overlay_reader, "show_warning", words.append)
    reader = get_reader(str(report))
    assert reader is not None
    assert reader(str(report)) == [(None,)]  # an error would make napari ask for another reader
    assert words == [
        "report.dcm holds no image: it is of the kind Comprehensive SR. Open the image that it belongs to."
    ]
    assert not viewer.layers
    monkeypatch.setattr(napari, "current_viewer", lambda: None)
    with pytest.raises(SegcamError, match=r"report\.dcm holds no image"):
        reader(str(report))
