"""One bad entry stops, blocks or bends nothing else: odd files, odd names, odd figures, and hands that reach in."""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batches import all_files, errors_in, records_in, rows_in, write_images
from PIL import Image

import napari_segcam as sc
from napari_segcam.batch import image_processing as examination
from napari_segcam.batch.images import BatchImage, images_of
from napari_segcam.batch.run_folder import RunFolder
from napari_segcam.errors import SegcamError
from napari_segcam.evidence.attention import finite_row
from napari_segcam.files import as_cell, from_cell, json_bytes, safe_name
from napari_segcam.imaging.opening import open_cine
from napari_segcam.reporting.report.finished_run import read_run

OPTIONS = sc.ExplainOptions(stages=["encoder_5"])


def run(network: sc.Network, source: Path, out: Path, **more: Any) -> dict[str, str]:
    """The errors of a run by image, '' where there is none."""
    return {result.image: result.error for result in sc.run_batch(source, out, network, OPTIONS, **more)}


@pytest.mark.parametrize("make", ["fifo", "socket", "loop", "loop of folders", "dangling", "device"])
def test_what_is_no_file_fails_alone(make: str, network: sc.Network, images: Path, tmp_path: Path) -> None:
    odd = images / "odd.png"
    match make:
        case "fifo":
            os.mkfifo(odd)
            os.mkfifo(images / "without_suffix")
        case "socket":
            with socket.socket(socket.AF_UNIX) as one:
                here = os.getcwd()
                os.chdir(images)  # the path of a socket is short
                one.bind(odd.name)
                os.chdir(here)
        case "loop":
            odd.symlink_to(odd)
        case "loop of folders":
            (images / "inner").mkdir()
            (images / "inner" / "back").symlink_to(images)
            (images / "inner" / "self").symlink_to(images / "inner" / "self")
            odd.symlink_to(images / "inner")
        case "dangling":
            odd.symlink_to(images / "nothing")
        case "device":
            odd.symlink_to("/dev/zero")
    errors = run(network, images, tmp_path / "run")
    assert [name for name, error in errors.items() if error] == (["odd.png"] if make != "loop of folders" else [])
    assert len(errors) >= 3
    if make != "loop of folders":
        assert errors_in(tmp_path / "run").keys() == {"odd.png"}
        with pytest.raises(SegcamError):
            open_cine(odd)


def test_a_folder_that_cannot_be_read_fails_alone(
    network: sc.Network, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = images / "locked"
    locked.mkdir()
    scandir, iterdir = os.scandir, Path.iterdir

    def refuse(path: Any) -> Any:  # the tests may run as root, whom nothing is forbidden
        if Path(path) == locked:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    def refuse_again(path: Path) -> Any:
        if path == locked:
            raise PermissionError(13, "Permission denied", str(path))
        return iterdir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    monkeypatch.setattr(Path, "iterdir", refuse_again)
    errors = run(network, images, tmp_path / "run")
    assert "Permission denied" in errors.pop("locked")
    assert set(errors.values()) == {""}


NAMES = [
    "=cmd|' -C calc'!A0.png",
    "+1.png",
    "-1+1.png",
    "@SUM(1).png",
    "'quoted.png",
    "two\nlines.png",
    "tab\tand\x1b[31mred.png",
    "back\\slash\x07.png",
    "turned\u202egnp.png",
    os.fsdecode(b"not utf-8 \xff\xfe.png"),
    "n" * 240 + ".png",
    "ü" * 120 + ".png",
    'a,"b".png',
]


def test_odd_names_are_kept_and_never_computed(network: sc.Network, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for name in NAMES:
        Image.fromarray(np.full((64, 64), 90, np.uint8)).save(folder / "x.png")
        (folder / "x.png").rename(folder / name)
    (folder / "=bad.png").write_bytes(b"no image")
    out = tmp_path / "run"
    outputs = examination.OutputOptions(overlays=True)
    printed = {image.display_name for image in images_of(folder)}
    assert run(network, folder, out, outputs=outputs).keys() == printed
    content = (out / "results.csv").read_text("utf-8") + (out / "errors.csv").read_text("utf-8")
    assert all(letter.isprintable() for line in content.splitlines() for letter in line)
    cells = [row["image"] for row in rows_in(out)] + list(errors_in(out))
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)
    assert {from_cell(cell) for cell in cells} == printed
    again = list(sc.run_batch(folder, out, network, OPTIONS, outputs=outputs))
    assert [result.image for result in again if not result.earlier] == ["=bad.png"]
    assert [failure.name for failure in read_run(out).failures] == ["=bad.png"]


@pytest.mark.parametrize("text", [*NAMES, "", "plain", "'", "\\", "'\\x1b", "=\\n", "\r", "−1", "＝1+1", "a\x1b\\x1b"])
def test_a_cell_gives_its_text_back(text: str) -> None:
    assert from_cell(as_cell(text)) == text
    assert as_cell("plain text, 1 < 2") == "plain text, 1 < 2"


def test_a_name_of_any_length_becomes_one_that_fits() -> None:
    names = {safe_name(text) for text in ("a" * 300, "a" * 299, "ü" * 300, "甲" * 300)}
    assert len(names) == 4
    assert all(len(name.encode()) < 200 for name in names)
    assert safe_name("a short one") == "a_short_one"


def test_json_takes_names_that_are_no_text() -> None:
    value = {"name": os.fsdecode(b"\xff"), "letters": "ü"}
    assert json.loads(json_bytes(value)) == value
    assert "ü".encode() in json_bytes({"letters": "ü"})


def test_a_figure_that_is_no_number_stops_no_run(
    network: sc.Network, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spacing = {"image_0": (math.nan, 1.0), "image_1": (math.inf, math.inf), "image_2": (1e300, 1e300)}

    def opened(path: Path) -> Any:
        cine = open_cine(path)
        cine.spacing_mm = spacing[cine.name]
        return cine

    monkeypatch.setattr(examination, "open_cine", opened)
    for _ in range(2):
        errors = run(network, images, tmp_path / "run")
        assert set(errors.values()) == {""}
    assert len(rows_in(tmp_path / "run")) == 3
    assert {row["area_mm2"] for record in records_in(tmp_path / "run") for row in record["rows"]} <= {None, 0.0}


def test_an_undefined_figure_says_so() -> None:
    row = finite_row({"mean": math.inf, "std": math.nan, "ratio": 1.0, "undefined": "", "stage": "a"})
    assert row == {"mean": None, "std": None, "ratio": 1.0, "undefined": "no finite number: mean, std", "stage": "a"}
    assert finite_row({"mean": math.nan, "undefined": "empty"})["undefined"] == "empty"


@pytest.mark.parametrize("changed", ["image", "truth"])
def test_what_changes_while_it_is_read_is_not_believed(
    changed: str, network: sc.Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_images(tmp_path / "images", 2, tmp_path / "masks")
    target = folder / "image_0.png" if changed == "image" else tmp_path / "masks" / "image_0_mask.png"
    of_image = examination.GroundTruth.of_image

    def edit_meanwhile(image: BatchImage, *more: Any) -> Any:
        opened = of_image(image, *more)
        if image.name.startswith("image_0") and is_edited:
            mask = np.zeros((64, 64), np.uint8)
            mask[:40, :40] = 255
            Image.fromarray(mask).save(target)
        return opened

    is_edited = [True]
    monkeypatch.setattr(examination.GroundTruth, "of_image", edit_meanwhile)
    errors = run(network, folder, tmp_path / "run", truth=tmp_path / "masks")
    assert "changed while it was read" in errors["image_0.png"]
    assert errors["image_1.png"] == ""
    is_edited.clear()
    errors = run(network, folder, tmp_path / "run", truth=tmp_path / "masks")
    assert set(errors.values()) == {""}
    run(network, folder, tmp_path / "fresh", truth=tmp_path / "masks")
    assert all_files(tmp_path / "run") == all_files(tmp_path / "fresh")


def test_a_run_folder_that_is_deleted_is_reported(network: sc.Network, images: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    results = sc.run_batch(images, out, network, OPTIONS)
    next(results)
    shutil.rmtree(out)
    with pytest.raises(SegcamError, match="were deleted while the batch was running"):
        list(results)
    assert set(run(network, images, out).values()) == {""}
    assert len(rows_in(out)) == 3


def test_a_result_that_is_deleted_is_reported(network: sc.Network, images: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    results = sc.run_batch(images, out, network, OPTIONS)
    shutil.rmtree(next(results).folder)
    with pytest.raises(SegcamError, match=r"1 results, for example of image_0\.png, were deleted"):
        list(results)
    assert len(rows_in(out)) == 2
    again = list(sc.run_batch(images, out, network, OPTIONS))
    assert [result.image for result in again if not result.earlier] == ["image_0.png"]


@pytest.mark.parametrize("content", [b"{}", b"[]", b"null", b'{"rows": 1}', b"[" * 100_000, b'{"rows": []}'])
def test_a_damaged_record_is_made_again(content: bytes, network: sc.Network, images: Path, tmp_path: Path) -> None:
    run(network, images, tmp_path / "run")
    expected = all_files(tmp_path / "run")
    next((tmp_path / "run" / "images").glob("*/record.json")).write_bytes(content)
    assert set(run(network, images, tmp_path / "run").values()) == {""}
    assert all_files(tmp_path / "run") == expected


def test_an_image_that_has_gone_does_not_stop_what_is_begun(network: sc.Network, images: Path, tmp_path: Path) -> None:
    batch = sc.Batch(images, tmp_path / "run", network, OPTIONS)
    list(batch)
    image = replace(batch.images[0], path=images / "gone.png")
    assert not RunFolder(tmp_path / "run").is_done(image)
    os.mkfifo(images / "gone.png")
    assert not RunFolder(tmp_path / "run").is_done(image)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system cannot kill so")
def test_the_main_process_is_killed_and_its_workers_end_with_it(checkpoint: Path, tmp_path: Path) -> None:
    psutil = pytest.importorskip("psutil")
    pytest.importorskip("distributed")
    images = write_images(tmp_path / "data", 12)
    options = ("--model", checkpoint, "--device", "cpu", "--stages", "encoder_5", "--threads", 1, "--workers", 2)
    command = map(str, ("batch", images, "--out", tmp_path / "run", *options))
    program = [sys.executable, "-c", "from napari_segcam.cli import main; main()", *command]
    process = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while len(list(tmp_path.glob("run/images/*/record.json"))) < 2:
        assert process.poll() is None, "it ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    workers = psutil.Process(process.pid).children(recursive=True)
    assert len(workers) >= 2
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(workers, timeout=120)
    assert not alive
    network = sc.load_network(checkpoint, "cpu")
    list(sc.run_batch(images, tmp_path / "run", network, OPTIONS, threads=1))
    list(sc.run_batch(images, tmp_path / "unbroken", network, OPTIONS, threads=1))
    assert all_files(tmp_path / "run") == all_files(tmp_path / "unbroken")


def test_explain_writes_its_tables_alike(tmp_path: Path) -> None:
    from napari_segcam.reporting.exports import write_attention

    row = {"frame": 0, "class": "=1+1", "method": "gradcam", "stage": "encoder_5", "mean": -1.0, "ratio": None}
    write_attention(tmp_path / "attention.csv", [row])
    with (tmp_path / "attention.csv").open(newline="", encoding="utf-8") as file:
        (read,) = csv.DictReader(file)
    assert (read["class"], read["mean"], read["ratio"]) == ("'=1+1", "-1.0", "")
