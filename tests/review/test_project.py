"""Review projects: made once from images and a checkpoint, opened again anywhere, refused where they are damaged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_segcam.batch.images import images_of
from napari_segcam.demo import demo_checkpoint, sample_cine
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.opening import open_cine
from napari_segcam.review.creating import CancelledError, create_project
from napari_segcam.review.log.events import Note
from napari_segcam.review.project import ReviewProject, open_project
from napari_segcam.review.project_file import Settings, make_settings
from napari_segcam.review.raters import check_rater, suggested_rater
from napari_segcam.review.readings import Reading


def write_still(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (48, 64), np.uint8)).save(path)
    return path


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A folder with images, a checkpoint beside it, and room for projects."""
    for number in (10, 9, 1):
        write_still(tmp_path / "images" / f"case{number}.png", number)
    shutil.copy(sample_cine(), tmp_path / "images" / "sweep.dcm")
    shutil.copy(demo_checkpoint(), tmp_path / "model.safetensors")
    shutil.copy(demo_checkpoint().with_suffix(".segcam.yaml"), tmp_path / "model.segcam.yaml")
    return tmp_path


@pytest.fixture
def project(study: Path) -> ReviewProject:
    return create_project(study / "p.segcam-review", study / "images", [study / "model.safetensors"])


def test_the_cases_are_the_images_in_natural_order_with_their_frames(project: ReviewProject, study: Path) -> None:
    assert [case.name for case in project.cases] == ["case1.png", "case9.png", "case10.png", "sweep.dcm"]
    assert [case.frames for case in project.cases] == [1, 1, 1, len(open_cine(sample_cine()))]
    assert project.title == "p"
    for case in project.cases:
        assert project.image_path(case) == study / "images" / case.name
        assert project.image_problem(case) == ""
    assert project.readings("anna") == [Reading(case.id) for case in project.cases]


def test_a_project_opens_again_as_it_was_made(project: ReviewProject) -> None:
    again = open_project(project.folder)
    assert again.content == project.content
    assert again.images == project.images
    assert again.model_card().class_names == ("fibroid",)
    assert again.checkpoint_problem() == ""
    assert again.model_source().load("cpu", again.model_card()).card == again.model_card()


@pytest.mark.usefixtures("project")
def test_project_and_images_can_move_together_and_the_images_alone(study: Path) -> None:
    moved = study.with_name("moved")
    study.rename(moved)
    together = open_project(moved / "p.segcam-review")
    assert together.image_problem(together.cases[0]) == ""
    assert together.checkpoint_problem() == ""
    (moved / "images").rename(moved / "elsewhere")
    lost = open_project(moved / "p.segcam-review")
    assert "is missing" in lost.image_problem(lost.cases[0])
    assert open_project(moved / "p.segcam-review", moved / "elsewhere").image_problem(lost.cases[0]) == ""
    with pytest.raises(SegcamError, match="no folder"):
        open_project(moved / "p.segcam-review", moved / "images")


def test_a_changed_image_and_a_changed_checkpoint_are_noticed(project: ReviewProject, study: Path) -> None:
    write_still(study / "images" / "case9.png", 77)
    assert [bool(project.image_problem(case)) for case in project.cases] == [False, True, False, False]
    assert "has changed" in project.image_problem(project.cases[1])
    (study / "model.safetensors").write_bytes(b"other")
    assert "has changed" in project.checkpoint_problem()
    (study / "model.safetensors").unlink()
    assert "is missing" in project.checkpoint_problem()


def test_a_damaged_image_stays_in_the_list_with_the_reason(study: Path) -> None:
    (study / "images" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    project = create_project(study / "p", study / "images", [study / "model.safetensors"])
    case = project.cases[0]
    assert case.name == "broken.png"
    assert case.problem
    assert case.frames is None


@pytest.mark.slow
def test_folders_of_stills_can_be_cases_and_a_list_can_name_them(study: Path) -> None:
    shutil.rmtree(study / "images")
    for folder in ("a", "b"):
        for number in range(3):
            write_still(study / "images" / folder / f"{number}.png", number)
    models = [study / "model.safetensors"]
    folders = create_project(study / "p", study / "images", models, folders_are_cines=True)
    assert [(case.name, case.frames) for case in folders.cases] == [("a", 3), ("b", 3)]
    assert all(not folders.image_problem(case) for case in folders.cases)
    (study / "list.csv").write_text("image\nimages/b/2.png\nimages/a\n", encoding="utf-8")
    listed = create_project(study / "q", study / "list.csv", models)
    assert [(case.name, case.frames) for case in listed.cases] == [("images/b/2.png", 1), ("images/a", 3)]
    paths = create_project(study / "r", [study / "images" / "a", study / "images" / "b" / "1.png"], models)
    assert [case.frames for case in paths.cases] == [3, 1]
    assert paths.images == study / "images"


def test_the_masks_of_a_project_are_no_images_of_its_folder(study: Path) -> None:
    project = create_project(study / "images" / "p.segcam-review", study / "images", [study / "model.safetensors"])
    log = project.open_log("anna")
    log.correct(Reading("c0001"), 0, np.ones((48, 64), np.uint8))
    log.close()
    assert [image.name for image in images_of(study / "images")] == [case.name for case in project.cases]


@pytest.mark.slow
def test_nothing_is_overwritten_and_nothing_is_left_of_a_failure(project: ReviewProject, study: Path) -> None:
    models = [study / "model.safetensors"]
    before = (project.folder / "project.json").read_bytes()
    with pytest.raises(SegcamError, match="is a review project already"):
        create_project(project.folder, study / "images", models)
    with pytest.raises(SegcamError, match="not empty"):
        create_project(study / "images", study / "images", models)
    with pytest.raises(SegcamError, match="not a checkpoint"):
        create_project(study / "q", study / "images", [study / "images" / "case1.png"])
    with pytest.raises(SegcamError, match="no stage or layer"):
        create_project(study / "q", study / "images", models, Settings(stages=("encoder_99",)))
    with pytest.raises(SegcamError, match="There is no"):
        create_project(study / "q", study / "nothing", models)
    with pytest.raises(CancelledError):
        create_project(study / "q", study / "images", models, progress=lambda done, _total: done < 2)
    assert (project.folder / "project.json").read_bytes() == before
    assert sorted(path.name for path in study.iterdir()) == [
        "images",
        "model.safetensors",
        "model.segcam.yaml",
        "p.segcam-review",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "later version"),
        ({"format": "other"}, "not the file of a review"),
        ({"cases": "none"}, "damaged: cases"),
        ({"checkpoints": []}, "damaged: checkpoints"),
        ({"settings": {"repeats": -1}}, "damaged: settings.repeats"),
        ({"surprise": 1}, "damaged: surprise"),
    ],
)
def test_a_damaged_or_later_project_is_refused_and_stays_as_it_is(
    project: ReviewProject, change: dict[str, object], message: str
) -> None:
    path = project.folder / "project.json"
    content = json.loads(path.read_bytes()) | change
    path.write_text(json.dumps(content), encoding="utf-8")
    before = path.read_bytes()
    with pytest.raises(SegcamError, match=message):
        open_project(project.folder)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 99_999, b"\xff\xfe", b"null"])
def test_a_file_that_is_no_json_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "project.json").write_bytes(content)
    with pytest.raises(SegcamError, match=r"project\.json"):
        open_project(tmp_path)


def test_a_checkpoint_that_would_run_code_is_refused(project: ReviewProject) -> None:
    path = project.folder / "project.json"
    content = json.loads(path.read_bytes())
    content["checkpoints"][0]["options"] = {"factory": "os:getcwd"}
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(SegcamError, match="unknown options: factory"):
        open_project(project.folder)


def test_each_rater_has_a_log_and_names_that_differ_by_case_are_one_rater(project: ReviewProject) -> None:
    for rater in ("Anna", "ben"):
        log = project.open_log(rater)
        log.append(Note(case="c0001", text=rater))
        log.close()
    log = project.open_log("anna")
    assert log.rater == "Anna"
    assert log.state.of(Reading("c0001")).notes[0].text == "Anna"
    log.close()
    assert project.raters() == ["Anna", "ben"]
    assert project.readings("ANNA") == project.readings("anna")
    assert [event.kind for event in project.read_log("ben").events] == ["started", "note"]


@pytest.mark.parametrize("name", ["", " ", "..", ".anna", "anna.", "a/b", "a\\b", "con", "NUL.txt", "a" * 61, "a\nb"])
def test_a_name_that_no_folder_can_have_is_refused(name: str) -> None:
    with pytest.raises(SegcamError, match="cannot be the name of a rater"):
        check_rater(name)


def test_names_in_any_script_are_fine_and_one_is_suggested() -> None:
    assert [check_rater(name) for name in ("Дарья", "müller", "r_2.b")] == ["Дарья", "müller", "r_2.b"]
    assert check_rater(suggested_rater())


def test_settings_out_of_range_are_refused_in_words() -> None:
    for fields in ({"threshold": 2}, {"repeats": -1}, {"reasons": ["a", "A"]}, {"reasons": []}, {"hide_heatmaps": "x"}):
        with pytest.raises(SegcamError, match="The setting"):
            make_settings(**fields)
