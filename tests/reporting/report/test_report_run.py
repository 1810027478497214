"""Reading a run: what is refused, and what is counted."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from made_run import WriteRun, row, write_record
from PIL import Image

from napari_segcam.batch.image_processing import ProcessedImage
from napari_segcam.batch.images import images_of
from napari_segcam.batch.run_folder import RunFolder
from napari_segcam.errors import SegcamError
from napari_segcam.files import write_table
from napari_segcam.reporting.report.finished_run import read_run


def test_images_come_in_natural_order(write_run: WriteRun) -> None:
    run = read_run(write_run(("frame_10.png", "frame_9.png", "a/frame_1.png")))
    assert [image.name for image in run.images] == ["a/frame_1.png", "frame_9.png", "frame_10.png"]


def test_images_come_in_the_order_of_the_results(write_run: WriteRun) -> None:
    """A list of images has an order of its own, which the results keep; what they do not list comes last."""
    folder = write_run(("frame_2.png", "=frame_10.png", "Frame_3.png", "frame_1.png"))
    write_table(folder / "results.csv", ["image"], [{"image": name} for name in ("=frame_10.png", "frame_2.png")])
    names = [image.name for image in read_run(folder).images]
    assert names == ["=frame_10.png", "frame_2.png", "frame_1.png", "Frame_3.png"]


@pytest.mark.parametrize("as_list", [False, True])
def test_the_report_and_the_results_of_a_batch_have_one_order(tmp_path: Path, as_list: bool) -> None:
    names = ["b_2.png", "B_10.png", "a_01.png", "A_1.png", "c/x.png", "c 1.png", "10.png", "9.png"]
    source = tmp_path / "images"
    for name in names:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4)).save(source / name)
    if as_list:
        (tmp_path / "list.csv").write_text("\n".join(["image", *(f"images/{name}" for name in names)]))
    images = images_of(tmp_path / "list.csv" if as_list else source)
    run = RunFolder(tmp_path / "run")
    run.start({"data": {"count": len(names)}})
    for number, image in enumerate(images):
        rows = [row(image.display_name, number, "cyst", "gradcam", "encoder_5")]
        run.save(image, ProcessedImage({"image": image.display_name, "rows": rows}))
    run.write_tables(images, {}, parquet=False)
    with (tmp_path / "run" / "results.csv").open(newline="") as file:
        listed = [line["image"] for line in csv.DictReader(file)]
    assert [image.name for image in read_run(tmp_path / "run").images] == listed
    assert listed == ([f"images/{name}" for name in names] if as_list else listed)
    assert len(listed) == len(names)


def test_a_table_of_results_that_cannot_be_read_leaves_the_natural_order(write_run: WriteRun) -> None:
    folder = write_run(("frame_10.png", "frame_9.png"))
    (folder / "results.csv").write_bytes(b"\0\xff,;\n" * 3)
    assert [image.name for image in read_run(folder).images] == ["frame_9.png", "frame_10.png"]


def test_a_run_of_an_earlier_version_is_read_by_the_names_of_today(write_run: WriteRun) -> None:
    folder = write_run()
    settings = json.loads((folder / "run.json").read_text())
    settings["wishes"] = settings.pop("options")
    settings["data"]["truth_colours"] = {"cyst": [1, 2, 3]}
    settings["model"]["model_card"] |= {"normalisation": "unit", "class_colours": ["#102030"]}
    (folder / "run.json").write_text(json.dumps(settings))
    run = read_run(folder)
    assert run.part("options")["methods"] == ["gradcam"]
    assert run.part("data")["truth_colors"] == {"cyst": [1, 2, 3]}
    assert run.part("model")["checkpoint"] == "best.pth"
    card = run.part("model")["model_card"]
    assert (card["normalization"], card["class_colors"]) == ("unit", ["#102030"])
    assert not {"wishes", "truth_colours", "normalisation", "class_colours"} & {*run.settings, *run.part("data"), *card}


def test_a_run_with_a_field_under_both_names_is_refused(write_run: WriteRun) -> None:
    with pytest.raises(SegcamError, match="wishes is the earlier name of options"):
        read_run(write_run(wishes={}))


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SegcamError, match="holds no run"):
        read_run(tmp_path)


def test_another_format_is_refused(write_run: WriteRun) -> None:
    with pytest.raises(SegcamError, match="format 2, but"):
        read_run(write_run(format=2))


@pytest.mark.parametrize("content", ["{", "[]", '{"image": "a.png"}', '{"image": "a.png", "rows": [{"frame": 0}]}'])
def test_a_damaged_record_is_named(write_run: WriteRun, content: str) -> None:
    folder = write_run()
    (folder / "images" / "key_1" / "record.json").write_text(content)
    with pytest.raises(SegcamError, match=r"key_1.record\.json cannot be read"):
        read_run(folder)


def test_an_unfinished_run_says_how_many_are_missing(write_run: WriteRun) -> None:
    folder = write_run(failures=(("broken.png", "no image"),), count=10)
    with pytest.raises(SegcamError, match="6 of 10 images are missing"):
        read_run(folder)
    run = read_run(folder, partial=True)
    assert (len(run.images), len(run.failures), run.missing) == (3, 1, 6)


def test_a_sample_is_complete_with_as_many_images_as_were_asked_for(write_run: WriteRun) -> None:
    assert read_run(write_run(data={"count": 100, "num_samples": 3})).missing == 0


def test_an_image_without_a_record_is_missing(write_run: WriteRun) -> None:
    folder = write_run()
    (folder / "images" / "key_2" / "record.json").unlink()
    with pytest.raises(SegcamError, match="1 of 3 images are missing"):
        read_run(folder)


def test_a_failure_that_was_made_good_is_none(write_run: WriteRun) -> None:
    assert read_run(write_run(failures=(("a.png", "once"),), count=3)).failures == ()


def test_a_run_without_an_image_is_refused(write_run: WriteRun) -> None:
    folder = write_run(())
    with pytest.raises(SegcamError, match="nothing to report"):
        read_run(folder)


def test_a_sheet_from_elsewhere_is_not_taken(write_run: WriteRun, tmp_path: Path) -> None:
    folder = write_run()
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    record = json.loads((folder / "images" / "key_0" / "record.json").read_text())
    write_record(folder, "other", {**record, "image": "z.png", "sheet": "../../../secret.jpg"})
    assert read_run(folder).images[-1].sheet is None
