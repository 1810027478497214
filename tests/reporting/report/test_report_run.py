"""Reading a run: what is refused, and what is counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_run import WriteRun, write_record

from napari_segcam.errors import SegcamError
from napari_segcam.reporting.report.finished_run import read_run


def test_images_come_in_natural_order(write_run: WriteRun) -> None:
    run = read_run(write_run(("frame_10.png", "frame_9.png", "a/frame_1.png")))
    assert [image.name for image in run.images] == ["a/frame_1.png", "frame_9.png", "frame_10.png"]


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
