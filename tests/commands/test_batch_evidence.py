"""``batch --evidence``: the columns of results, in words that say why some are empty, and runs that go on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import planted_network
import pytest
import torch
from batches import all_files, rows_in
from PIL import Image
from planted_network import frame, planted

import napari_segcam as sc
from napari_segcam import cli
from napari_segcam.commands.optional_values import with_values
from napari_segcam.reporting.run_format import COLUMNS, EVIDENCE

NEEDED = {
    *("frame", "stage", "influence", "faithfulness", "faithfulness_null", "faithfulness_p", "ratio", "ratio_p"),
    *("echo", "sanity", "off_scan", "statement"),
}


@pytest.fixture
def batch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """``napari-segcam batch data --out run OPTIONS`` on two frames and the planted network: its exit code."""
    (tmp_path / "data").mkdir()
    for number in range(2):
        Image.fromarray(frame(number)).save(tmp_path / "data" / f"frame_{number}.png")
    torch.save(planted().module.state_dict(), tmp_path / "planted.pth")
    (tmp_path / "planted.segcam.yaml").write_text("input_channels: 1\nnormalization: unit\nclass_names: [finding]\n")

    def run(*options: object, out: str = "run") -> int:
        usual = ("batch", tmp_path / "data", "--model", tmp_path / "planted.pth", "--device", "cpu", "--threads", 1)
        factory = ("--network-factory", "planted_network:Planted", "--stages", "shallow,idle,deep")
        arguments = map(str, (*usual, "--out", tmp_path / out, *factory, *options))
        monkeypatch.setattr("sys.argv", ["napari-segcam", *arguments])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return int(stopped.value.code or 0)

    return run


def test_every_measure_has_its_column_and_null(batch: Any, tmp_path: Path) -> None:
    assert batch("--evidence", "--null", 19) == 0
    rows = rows_in(tmp_path / "run")
    assert len(rows) == 6
    assert list(rows[0]) == [*COLUMNS, *EVIDENCE]
    assert set(rows[0]) >= NEEDED
    for row in rows:
        for name in ("faithfulness", "ratio", "share"):
            assert bool(row[name]) == bool(row[f"{name}_p"]) == bool(row[f"{name}_null"])
        for name in ("influence", "echo", "sanity", "stability", "off_scan"):
            assert row[name] or f"{name}: " in row["evidence_undefined"], name
    assert [row["takes_part"] for row in rows] == ["yes", "no", "yes"] * 2
    assert rows[1]["statement"].startswith("takes no part in this mask")
    settings = json.loads((tmp_path / "run" / "run.json").read_text())
    measures = [*sc.MEASURES, "doubt"]
    assert settings["evidence"] == {"measures": measures, "draws": 19, "references": ["mean"], "seed": 0}
    assert not [name for name in settings["options"] if "evidence" in name]


def test_the_figures_are_those_of_the_function(batch: Any, tmp_path: Path) -> None:
    assert batch("--evidence", "faithfulness,influence", "--null", 9) == 0
    network = sc.load_network(tmp_path / "planted.pth", "cpu", factory="planted_network:Planted")
    explainer = sc.Explainer(network, "gradcam", ["shallow", "idle", "deep"])
    cine = sc.open_cine(tmp_path / "data" / "frame_1.png")
    result = explainer(cine[0], None, cine.value_range)
    measured = sc.measure_evidence(
        result, explainer, cine[0], cine.value_range, measures=["influence", "faithfulness"], draws=9
    )
    rows = {row["stage"]: row for row in rows_in(tmp_path / "run") if row["image"] == "frame_1.png"}
    for name, stage in measured.stages.items():
        assert stage.influence is not None
        assert stage.faithfulness is not None
        assert rows[name]["influence"] == str(stage.influence.value)
        for column, figure in (("", "value"), ("_null", "expected"), ("_p", "p")):
            value = getattr(stage.faithfulness, figure)
            assert rows[name][f"faithfulness{column}"] == ("" if value is None else str(value))
        assert rows[name]["statement"] == stage.statement
        assert rows[name]["shown_first"] == measured.shown_first.name
        assert rows[name]["echo"] == rows[name]["sanity"] == ""


def test_too_few_draws_are_said_before(batch: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert batch("--evidence", "faithfulness", "--null", 9) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "With 9 draws, p is at least 0.1, so no map can pass 0.05" in shown
    assert "The evidence takes" in shown


def test_without_it_there_are_no_columns_of_evidence_but_the_null_of_the_ratio(batch: Any, tmp_path: Path) -> None:
    assert batch() == 0
    rows = rows_in(tmp_path / "run")
    assert list(rows[0]) == list(COLUMNS)
    assert all(bool(row["ratio"]) == bool(row["ratio_p"]) for row in rows)
    assert all(row["ratio"] or row["undefined"] for row in rows)
    assert any(row["ratio_p"] for row in rows)


def test_a_run_goes_on_only_with_the_same_evidence(
    batch: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert batch("--evidence", "influence") == 0
    once = all_files(tmp_path / "run")
    for options, said in (
        ((), "evidence was influence, now not measured"),
        (("--evidence",), "measures was influence, now influence, faithfulness"),
        (("--evidence", "influence", "--null", 99), "draws was 19, now 99"),
    ):
        assert batch(*options) == 2
        assert said in capsys.readouterr().err
    assert batch("--evidence", "influence") == 0
    assert all_files(tmp_path / "run") == once
    assert batch(out="plain") == 0
    assert batch("--evidence", "influence", out="plain") == 2
    assert "evidence was not measured, now influence" in capsys.readouterr().err


@pytest.mark.slow
def test_processes_that_share_the_work_find_the_same(batch: Any, tmp_path: Path, monkeypatch: Any) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setenv("PYTHONPATH", str(Path(planted_network.__file__).parent), prepend=":")
    assert batch("--evidence", "influence,faithfulness,in_out", "--null", 9) == 0
    assert batch("--evidence", "influence,faithfulness,in_out", "--null", 9, "--workers", 2, out="shared") == 0
    assert rows_in(tmp_path / "shared") == rows_in(tmp_path / "run")


def test_results_of_an_earlier_version_are_made_again(batch: Any, tmp_path: Path) -> None:
    assert batch() == 0
    expected = rows_in(tmp_path / "run")
    (path, _) = sorted((tmp_path / "run").glob("images/*/record.json"))
    record = json.loads(path.read_text())
    for row in record["rows"]:
        del row["ratio_null"], row["ratio_p"]
    path.write_text(json.dumps(record))
    assert batch() == 0
    assert rows_in(tmp_path / "run") == expected


@pytest.mark.parametrize("given", ["influnce", "influence,all_of_it"])
def test_an_unknown_measure_is_refused(
    batch: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], given: str
) -> None:
    assert batch("--evidence", given) == 2
    assert f"no measure of evidence {given.split(',')[-1]!r}. Choose from: influence," in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_the_value_may_be_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scans").mkdir()
    assert with_values(["batch", "--evidence", "scans"]) == ["batch", "--evidence=all", "scans"]
    assert with_values(["explain", "--evidence", "a.png"]) == ["explain", "--evidence=all", "a.png"]
    assert with_values(["explain", "a.png", "--evidence"]) == ["explain", "a.png", "--evidence=all"]
    assert with_values(["--evidence", "--null", "9"]) == ["--evidence=all", "--null", "9"]
    assert with_values(["--evidence", "in_out,echo", "scans"]) == ["--evidence", "in_out,echo", "scans"]
    assert with_values(["--evidence=echo", "scans"]) == ["--evidence=echo", "scans"]
    assert with_values(["--", "--evidence"]) == ["--", "--evidence"]
