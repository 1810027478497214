"""``explain --evidence``: what the maps are worth, as a table, in the provenance and in words."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
import torch
from PIL import Image
from planted_network import frame, planted

from napari_segcam import cli

NEEDED = {
    *("frame", "stage", "influence", "faithfulness", "faithfulness_null", "faithfulness_p", "ratio", "ratio_p"),
    *("echo", "sanity", "off_scan", "statement"),
}


@pytest.fixture
def explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of ``explain --evidence`` on the planted network."""
    Image.fromarray(frame()).save(tmp_path / "frame.png")
    torch.save(planted().module.state_dict(), tmp_path / "planted.pth")
    (tmp_path / "planted.segcam.yaml").write_text("input_channels: 1\nnormalization: unit\nclass_names: [finding]\n")
    arguments = ["explain", str(tmp_path / "frame.png"), "--model", str(tmp_path / "planted.pth")]
    arguments += ["--network-factory", "planted_network:Planted", "--out", str(tmp_path / "out"), "--device", "cpu"]
    arguments += ["--stages", "shallow,idle,deep", "--evidence", "--null", "9", "--evidence-references", "mean,blur"]
    monkeypatch.setattr("sys.argv", ["napari-segcam", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code in (0, None)
    return tmp_path / "out"


def test_the_table_has_a_row_a_stage_with_its_statement(explained: Path) -> None:
    with (explained / "evidence.csv").open(encoding="utf-8") as file:
        rows = {row["stage"]: row for row in csv.DictReader(file)}
    assert set(rows) == {"shallow", "idle", "deep"}
    assert set(rows["deep"]) >= NEEDED
    assert float(rows["deep"]["influence"]) == 1.0
    assert rows["idle"]["statement"].startswith("takes no part in this mask")
    for row in rows.values():
        for name in ("faithfulness", "ratio"):
            assert bool(row[name]) == bool(row[f"{name}_p"])
            assert row[name] or name in row["undefined"]


def test_another_reference_has_its_own_column_and_those_not_asked_for_are_empty(explained: Path) -> None:
    with (explained / "evidence.csv").open(encoding="utf-8") as file:
        rows = {row["stage"]: row for row in csv.DictReader(file)}
    assert [float(rows[stage]["influence_blur"]) for stage in ("shallow", "idle", "deep")] == [1.0, 0.0, 1.0]
    assert [rows[stage]["takes_part"] for stage in ("shallow", "idle", "deep")] == ["yes", "no", "yes"]
    assert {row["influence_other_frame"] for row in rows.values()} == {""}


def test_the_time_is_said_before_if_it_takes_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr("napari_segcam.commands.evidence_table._WORTH_TELLING", 0.0)
    request.getfixturevalue("explained")
    printed = capsys.readouterr().out
    assert re.search(
        r"Evidence: \d+ runs of the network or of a part of it, about \d+ (s|min)\. Ctrl-C stops it", printed
    )


@pytest.mark.parametrize(
    ("names", "message"),
    [("other-frame", "needs a cine, but this is a still"), ("zero", "no reference 'zero'. Choose from: mean, blur")],
)
def test_a_reference_that_is_not_there_is_refused_before_anything_takes_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], explained: Path, names: str, message: str
) -> None:
    folder = explained.parent
    arguments = ["explain", str(folder / "frame.png"), "--model", str(folder / "planted.pth"), "--device", "cpu"]
    arguments += ["--network-factory", "planted_network:Planted", "--out", str(folder / "refused")]
    arguments += ["--evidence", "--evidence-references", names]
    monkeypatch.setattr("sys.argv", ["napari-segcam", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code not in (0, None)
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (folder / "refused" / "frame.png").exists()


def test_the_provenance_names_the_stage_to_look_at_first(explained: Path) -> None:
    plain = json.loads((explained / "explanation.json").read_text(encoding="utf-8"))
    assert "shown_first" in plain
    assert plain["evidence"]["draws"] == 9
    assert plain["evidence"]["references"] == ["mean", "blur"]
    assert plain["statements"]["idle"].startswith("takes no part in this mask")
