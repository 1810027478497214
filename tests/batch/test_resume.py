"""Going on with a run: killed at any moment it ends as an unbroken one, and it never mixes two."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from batches import all_files, errors_in, records_in, rows_in, write_checkpoint, write_images
from PIL import Image

import napari_segcam as sc
from napari_segcam.batch.image_processing import OutputOptions
from napari_segcam.errors import SegcamError
from napari_segcam.network.model_card import ModelCard
from napari_segcam.network.source import ModelSource
from napari_segcam.reporting.report.finished_run import read_run
from napari_segcam.reporting.report.writing import write_report

OPTIONS = sc.ExplainOptions(stages=["encoder_5"])


def run(network: sc.Network, images: Path, out: Path) -> list[str]:
    """The images that were examined now, and not before."""
    outputs = OutputOptions(overlays=True)
    results = sc.run_batch(images, out, network, OPTIONS, truth=images.parent / "masks", outputs=outputs)
    return [result.image for result in results if not result.earlier]


def in_a_process_that_dies(work: Callable[[], object], dies_at: int) -> bool:
    """Do the work in a fork that is killed at its nth write or renaming, writes half done; whether it came so far."""
    child = os.fork()
    if child == 0:
        moments = 0

        def moment() -> None:
            nonlocal moments
            moments += 1
            if moments == dies_at:
                os.kill(os.getpid(), signal.SIGKILL)

        write, replace = Path.write_bytes, Path.replace

        def write_bytes(path: Path, data: bytes) -> int:
            write(path, data[: len(data) // 2])
            moment()
            return write(path, data)

        def replace_then(path: Path, target: Path) -> Path:
            moment()
            return replace(path, target)

        Path.write_bytes, Path.replace = write_bytes, replace_then  # type: ignore[method-assign,assignment]
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_killed_at_any_write_it_ends_as_an_unbroken_run(network: sc.Network, images: Path, tmp_path: Path) -> None:
    (images / "image_9.png").write_bytes(b"no image")
    run(network, images, tmp_path / "unbroken")
    expected = all_files(tmp_path / "unbroken")
    kills = 0
    while in_a_process_that_dies(partial(run, network, images, tmp_path / f"run_{kills}"), dies_at=kills + 1):
        run(network, images, tmp_path / f"run_{kills}")
        assert all_files(tmp_path / f"run_{kills}") == expected
        kills += 1
    assert kills > 15


@pytest.mark.slow
def test_a_command_that_is_killed_goes_on_to_the_same_end(checkpoint: Path, tmp_path: Path) -> None:
    images = write_images(tmp_path / "data", 6)
    options = ("--model", checkpoint, "--device", "cpu", "--stages", "encoder_5", "--threads", 1)
    command = map(str, ("batch", images, "--out", tmp_path / "run", *options))
    program = [sys.executable, "-c", "from napari_segcam.cli import main; main()", *command]
    process = subprocess.Popen(program, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(list(tmp_path.glob("run/images/*/record.json"))) < 2:
        assert process.poll() is None, "it ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.kill()
    process.wait()
    assert not (tmp_path / "run" / "results.csv").exists()
    for out in ("run", "unbroken"):
        list(sc.run_batch(images, tmp_path / out, sc.load_network(checkpoint, "cpu"), OPTIONS, threads=1))
    assert all_files(tmp_path / "run") == all_files(tmp_path / "unbroken")


def test_what_was_given_of_the_model_is_kept_and_decides_nothing(
    checkpoint: Path, images: Path, tmp_path: Path
) -> None:
    given = ModelSource(str(checkpoint), "Unet", "resnet18", device="cpu")
    batch = sc.Batch(images, tmp_path / "run", given)
    assert (batch.folder.settings() or {})["given"] == {
        "model": "unet.pth",
        "architecture": "Unet",
        "encoder": "resnet18",
        "network_factory": None,
        "classes_overlap": None,
        "output": None,
        "weights": None,
    }
    sc.Batch(images, tmp_path / "run", ModelSource(str(checkpoint), device="cpu"))


def test_two_at_once_in_one_folder_are_refused(network: sc.Network, images: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    first = iter(sc.Batch(images, out, network))
    late = sc.Batch(images, out, network)
    next(first)
    with pytest.raises(SegcamError, match="Another batch is running in"):
        sc.Batch(images, out, network)
    with pytest.raises(SegcamError, match="Another batch is running in"):
        next(iter(late))
    first.close()
    assert len(list(sc.Batch(images, out, network))) == 3


@pytest.mark.slow
def test_a_killed_process_leaves_no_lock(network: sc.Network, images: Path, tmp_path: Path) -> None:
    holding = "import sys, pathlib\nfrom napari_segcam.batch.run_folder import RunFolder\n"
    holding += "with RunFolder(pathlib.Path(sys.argv[1])).locked():\n    print('locked', flush=True)\n    input()"
    command = [sys.executable, "-c", holding, str(tmp_path / "run")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline()
        with pytest.raises(SegcamError, match="Another batch"):
            sc.Batch(images, tmp_path / "run", network)
        other.kill()
    assert list(sc.Batch(images, tmp_path / "run", network))


def test_what_is_done_is_given_again_and_not_done_again(network: sc.Network, images: Path, tmp_path: Path) -> None:
    results = sc.run_batch(images, tmp_path / "run", network, OPTIONS)
    first = next(results)
    results.close()
    again = list(sc.run_batch(images, tmp_path / "run", network, OPTIONS))
    assert [result.earlier for result in again] == [True, False, False]
    assert again[0].rows == first.rows
    assert len({row["image"] for row in rows_in(tmp_path / "run")}) == 3


def test_failed_images_are_tried_again(network: sc.Network, images: Path, tmp_path: Path) -> None:
    good = (images / "image_1.png").read_bytes()
    (images / "image_1.png").write_bytes(b"no image")
    run(network, images, tmp_path / "run")
    assert list(errors_in(tmp_path / "run")) == ["image_1.png"]
    assert run(network, images, tmp_path / "run") == ["image_1.png"]
    (images / "image_1.png").write_bytes(good)
    assert run(network, images, tmp_path / "run") == ["image_1.png"]
    assert not errors_in(tmp_path / "run")
    run(network, images, tmp_path / "unbroken")
    assert all_files(tmp_path / "run") == all_files(tmp_path / "unbroken")


def test_a_changed_image_or_mask_is_examined_again(network: sc.Network, images: Path, tmp_path: Path) -> None:
    run(network, images, tmp_path / "run")
    frame = np.random.default_rng(7).integers(0, 255, (64, 64), dtype=np.uint8)
    Image.fromarray(frame).save(images / "image_0.png")
    Image.fromarray(frame // 128).save(tmp_path / "masks" / "image_2_mask.png")
    assert run(network, images, tmp_path / "run") == ["image_0.png", "image_2.png"]
    run(network, images, tmp_path / "unbroken")
    assert all_files(tmp_path / "run") == all_files(tmp_path / "unbroken")


def test_moved_data_and_a_new_time_are_no_change(network: sc.Network, images: Path, tmp_path: Path) -> None:
    run(network, images, tmp_path / "run")
    (tmp_path / "moved").mkdir()
    for folder in ("data", "masks"):
        (tmp_path / folder).rename(tmp_path / "moved" / folder)
    os.utime(tmp_path / "moved" / "data" / "image_0.png")
    assert run(network, tmp_path / "moved" / "data", tmp_path / "run") == []


def test_a_damaged_or_missing_result_is_made_again(network: sc.Network, images: Path, tmp_path: Path) -> None:
    run(network, images, tmp_path / "run")
    expected = all_files(tmp_path / "run")
    first, second, _ = sorted((tmp_path / "run" / "images").iterdir())
    (first / "record.json").write_text('{"image"')
    (second / "sheet.jpg").unlink()
    assert run(network, images, tmp_path / "run") == ["image_0.png", "image_1.png"]
    assert all_files(tmp_path / "run") == expected


def test_a_value_range_is_kept_for_the_run(network: sc.Network, images: Path, tmp_path: Path) -> None:
    options = sc.ExplainOptions(stages=["encoder_5"], value_range=(0.0, 100.0))
    first = list(sc.run_batch(images, tmp_path / "run", network, options))
    record = json.loads((first[0].folder / "record.json").read_text())
    assert (record["value_range"], record["value_range_from"]) == ([0, 100], "what was set")
    assert all(result.earlier for result in sc.run_batch(images, tmp_path / "run", network, options))
    with pytest.raises(sc.SegcamError, match="value range was"):
        sc.run_batch(images, tmp_path / "run", network, OPTIONS)
    with pytest.raises(sc.SegcamError, match="white must be more than black"):
        sc.run_batch(images, tmp_path / "other", network, sc.ExplainOptions(value_range=(5.0, 5.0)))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"options": sc.ExplainOptions(("layercam",), ["encoder_5"])}, "methods was gradcam, now layercam"),
        ({"options": sc.ExplainOptions(stages=["encoder_4"])}, "stages was encoder_5, now encoder_4"),
        ({"truth": "masks"}, "it has other images or other true masks"),
        ({"num_samples": 2}, "num samples was none, now 2"),
        ({"outputs": OutputOptions(overlays=True)}, "overlays was False, now True"),
        ({"threads": 2}, "threads was 1, now 2"),
    ],
)
def test_another_option_is_refused(
    network: sc.Network, images: Path, tmp_path: Path, given: dict[str, object], said: str
) -> None:
    list(sc.run_batch(images, tmp_path / "run", network, OPTIONS, threads=1))
    before = all_files(tmp_path / "run")
    arguments = {"options": OPTIONS} | {
        key: tmp_path / value if key == "truth" else value for key, value in given.items()
    }  # type: ignore[operator]
    with pytest.raises(sc.SegcamError, match=said) as refused:
        sc.run_batch(images, tmp_path / "run", network, **arguments)  # type: ignore[arg-type]
    assert "Choose another --out, or delete this folder" in str(refused.value)
    assert all_files(tmp_path / "run") == before


def test_another_model_card_image_or_version_is_refused(
    network: sc.Network, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(sc.run_batch(images, tmp_path / "run", network, OPTIONS))
    other = sc.load_network(write_checkpoint(tmp_path / "other.pth", seed=1), "cpu")
    with pytest.raises(sc.SegcamError, match="it has another model"):
        sc.run_batch(images, tmp_path / "run", other, OPTIONS)
    with pytest.raises(sc.SegcamError, match=r"threshold was 0\.5, now 0\.4"):
        sc.run_batch(
            images, tmp_path / "run", sc.Network.from_module(network.module, ModelCard(threshold=0.4)), OPTIONS
        )
    write_images(tmp_path / "data", 4)
    with pytest.raises(sc.SegcamError, match="it has other images or other true masks"):
        sc.run_batch(images, tmp_path / "run", network, OPTIONS)
    (images / "image_3.png").unlink()
    monkeypatch.setattr("napari_segcam.batch.run_folder.FORMAT", 2)
    with pytest.raises(sc.SegcamError, match="format was 1, now 2"):
        sc.run_batch(images, tmp_path / "run", network, OPTIONS)


def test_a_network_without_a_file_is_known_by_its_weights(images: Path, tmp_path: Path) -> None:
    networks = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        networks.append(sc.Network.from_module(torch.nn.Conv2d(3, 1, 3, padding=1), device="cpu"))
    options = sc.ExplainOptions(stages=[])
    list(sc.run_batch(images, tmp_path / "run", networks[0], options))
    sc.run_batch(images, tmp_path / "run", networks[0], options).close()
    with pytest.raises(sc.SegcamError, match="it has another model"):
        sc.run_batch(images, tmp_path / "run", networks[1], options)


def test_a_run_that_cannot_be_read_is_not_written_over(network: sc.Network, images: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("[")
    with pytest.raises(sc.SegcamError, match=r"run\.json cannot be read"):
        sc.run_batch(images, tmp_path / "run", network, OPTIONS)
    (tmp_path / "file").touch()
    with pytest.raises(sc.SegcamError, match="is a file: the results need a folder"):
        sc.run_batch(images, tmp_path / "file", network, OPTIONS)
    assert records_in(tmp_path / "run") == []


def as_earlier_versions_wrote(run_json: bytes) -> bytes:
    """Return a ``run.json`` with the keys of earlier versions."""
    run = json.loads(run_json)
    card = run["model"]["model_card"]
    run["wishes"] = run.pop("options")
    run["data"]["truth_colours"] = run["data"].pop("truth_colors")
    card["normalisation"] = card.pop("normalization")
    card["class_colours"] = card.pop("class_colors")
    return json.dumps(run).encode()


@pytest.mark.parametrize("is_unfinished", [False, True])
def test_a_run_of_an_earlier_version_is_resumed_and_reported(
    network: sc.Network, images: Path, tmp_path: Path, is_unfinished: bool
) -> None:
    assert len(run(network, images, tmp_path / "run")) == 3
    settings = tmp_path / "run" / "run.json"
    settings.write_bytes(as_earlier_versions_wrote(settings.read_bytes()))
    expected = all_files(tmp_path / "run")
    if is_unfinished:
        next((tmp_path / "run").glob("images/image_1*/record.json")).unlink()
    assert run(network, images, tmp_path / "run") == (["image_1.png"] if is_unfinished else [])
    assert all_files(tmp_path / "run") == expected
    report = read_run(tmp_path / "run")
    assert [image.name for image in report.images] == ["image_0.png", "image_1.png", "image_2.png"]
    assert report.part("options")["stages"] == ["encoder_5"]
    assert "truth_colors" in report.part("data")
    write_report(tmp_path / "run", tmp_path / "report.html", pdf=False)
    assert "encoder_5" in (tmp_path / "report.html").read_text(encoding="utf-8")
