"""Ensembles on the command line: ``--model`` several times, and the file that stands for all members."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from batches import rows_in, write_checkpoint, write_images

import napari_segcam as sc
from napari_segcam import cli
from napari_segcam.network.source import ModelSource
from napari_segcam.reporting.report.document import Facts
from napari_segcam.reporting.report.finished_run import read_run
from napari_segcam.reporting.report.front import front_blocks, provenance_section, repeat_command


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("seeds")
    return [write_checkpoint(folder / f"seed_{seed}.pth", seed=seed) for seed in range(2)]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_images(tmp_path / "images", 1)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The exit code of ``napari-segcam ARGUMENTS``."""

    def call(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["napari-segcam", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return int(stopped.value.code or 0)

    return call


@pytest.mark.slow
def test_explain_writes_the_mean_and_the_members(run: Any, seeds: list[Path], images: Path, tmp_path: Path) -> None:
    image = images / "image_0.png"
    models = [part for path in seeds for part in ("--model", path)]
    options = ("--stages", "encoder_5", "--region", "image", "--device", "cpu")
    assert run("explain", image, *models, *options, "--out", tmp_path / "out") == 0
    record = json.loads((tmp_path / "out" / "explanation.json").read_text())
    assert [member["name"] for member in record["members"]] == ["seed_0", "seed_1"]
    assert [member["sha256"] for member in record["members"]] == [sc.load_network(path).sha256 for path in seeds]
    assert record["options"]["model"] == ["seed_0.pth", "seed_1.pth"]
    cine = sc.open_cine(image)
    expected = sc.Explainer(sc.load_network(seeds, device="cpu"), stages=["encoder_5"])(
        cine[0], sc.Target(region="image"), cine.value_range
    )
    with np.load(tmp_path / "out" / "heatmaps.npz") as maps:
        np.testing.assert_array_equal(maps["encoder_5"], expected.heatmaps["encoder_5"].values)


@pytest.mark.slow
def test_members_are_written_on_request(
    run: Any, seeds: list[Path], images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image, out = images / "image_0.png", tmp_path / "out"
    models = [part for path in seeds for part in ("--model", path)]
    options = ("--stages", "encoder_5", "--threshold", "0.6", "--device", "cpu", "--out", out)
    assert run("explain", image, *models, *options, "--members") == 0
    cine = sc.open_cine(image)
    explainer = sc.Explainer(sc.load_network(seeds, device="cpu"), stages=["encoder_5"], threshold=0.6)
    expected = explainer(cine[0], value_range=cine.value_range)
    assert expected.disagreement is not None
    assert expected.disagreement.value is not None
    for number, member in enumerate(expected.members, start=1):
        folder = out / f"member_{number}_seed_{number - 1}"
        with np.load(folder / "heatmaps.npz") as maps:
            np.testing.assert_array_equal(maps["encoder_5"], member.heatmaps["encoder_5"].values)
        record = json.loads((folder / "explanation.json").read_text())
        assert record["checkpoint"] == f"seed_{number - 1}.pth"
        assert record["target"]["region"] == "mask of the ensemble"
    record = json.loads((out / "explanation.json").read_text())
    assert record["disagreement"] == expected.disagreement.value
    np.testing.assert_array_equal(tifffile.imread(out / "disagreement.tif"), expected.disagreement.deviation)
    assert f"Disagreement of 2 members on foreground: {expected.disagreement.value:.3f}" in capsys.readouterr().out
    assert run("explain", image, "--model", seeds[0], *options, "--members") == 2
    assert "one network" in capsys.readouterr().err


def test_one_model_is_used_as_before(run: Any, seeds: list[Path], images: Path, tmp_path: Path) -> None:
    image = images / "image_0.png"
    assert run("explain", image, "--model", seeds[0], "--stages", "encoder_5", "--out", tmp_path / "out") == 0
    record = json.loads((tmp_path / "out" / "explanation.json").read_text())
    assert "members" not in record
    assert record["options"]["model"] == "seed_0.pth"
    assert str(tmp_path.parent) not in json.dumps(record), "folders may name patients"


@pytest.mark.slow
def test_inspect_lists_the_members_and_writes_the_file_that_stands_for_them(
    run: Any, seeds: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("inspect", *seeds, "--write-ensemble", tmp_path / "both", "--class-name", "lesion") == 0
    shown = capsys.readouterr().out
    assert "1: seed_0, Unet resnet18" in shown
    assert "2 × Unet" in shown
    path = tmp_path / "both.segcam-ensemble.yaml"
    assert run("inspect", "--model", path) == 0
    assert "lesion" in capsys.readouterr().out
    assert run("inspect", *seeds, "--write-ensemble", tmp_path / "both") == 2
    assert "--force" in capsys.readouterr().err
    assert run("inspect", path, "--threshold", "0.3", "--write-ensemble", path, "--force") == 0
    both = sc.load_network(path)
    assert (both.card.threshold, both.class_names) == (0.3, ("lesion",))
    assert run("inspect", *seeds, "--write-card") == 2
    assert "--write-ensemble" in capsys.readouterr().err


@pytest.mark.slow
def test_a_batch_records_all_checkpoints_and_the_command_that_repeats_it(
    run: Any, seeds: list[Path], images: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    models = [part for path in seeds for part in ("--model", path)]
    assert run("batch", images, *models, "--stages", "encoder_5", "--device", "cpu", "--out", out) == 0
    (row,) = rows_in(out)
    result = sc.Explainer(sc.load_network(seeds, device="cpu"), stages=())(sc.open_cine(images / "image_0.png")[0])
    assert result.disagreement is not None
    assert row["disagreement"] == str(result.disagreement.value or "")
    assert row["disagreement_undefined"] == result.disagreement.undefined
    content = json.loads((out / "run.json").read_text())
    assert content["given"]["model"] == ["seed_0.pth", "seed_1.pth"]
    assert [member["checkpoint"] for member in content["model"]["members"]] == ["seed_0.pth", "seed_1.pth"]
    finished = read_run(out)
    front = front_blocks(finished, [], [], datetime(2026, 1, 2, tzinfo=UTC))[-1]
    provenance = provenance_section(finished, anonymous=False).blocks[0]
    assert isinstance(front, Facts)
    assert isinstance(provenance, Facts)
    sha256 = sc.load_network(seeds[1]).sha256
    assert dict(front.rows)["Member 2 (SHA-256)"] == f"seed_1.pth: {sha256}"
    assert dict(provenance.rows)["Member 2: sha256"] == sha256
    command = repeat_command(finished)
    assert "--model seed_0.pth --model seed_1.pth" in command
    assert run("batch", images, *reversed_pairs(models), "--stages", "encoder_5", "--device", "cpu", "--out", out) == 2


def reversed_pairs(models: list[Any]) -> list[Any]:
    """The same options with the checkpoints in the other order: another ensemble, which may not continue the run."""
    return [models[2], models[3], models[0], models[1]]


def test_what_is_wrong_is_one_line(
    run: Any, seeds: list[Path], images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    three = write_checkpoint(tmp_path / "three.pth", classes=3)
    assert run("explain", images / "image_0.png", "--model", seeds[0], "--model", three) == 2
    error = capsys.readouterr().err
    assert "three has 3 classes" in error
    assert "Traceback" not in error
    assert run("check", seeds[0]) == 2
    assert "MODEL IMAGES" in capsys.readouterr().err
    assert run("check", images, "--model", seeds[0], "--model", images / "image_0.png") == 2
    assert "is an image" in capsys.readouterr().err


def test_a_source_of_several_paths_is_stored_and_read_again(seeds: list[Path]) -> None:
    source = ModelSource.of(seeds)
    assert source.title == "seed_0 + seed_1"
    assert source.is_there
    stored = json.loads(json.dumps({"path": source.path, "others": source.others}))
    assert ModelSource(**stored) == source
    assert not ModelSource.of([*seeds, "gone.pth"]).is_there
    assert ModelSource.of("a.pth") == ModelSource("a.pth")
