"""``explain --crosscheck``: the table, in words and as a file, and the message without the package."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from planted_network import frame, planted

from napari_segcam import cli

pytest.importorskip("pytorch_grad_cam")


def explain(folder: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    """Run ``explain`` on the planted network, and return the exit code."""
    Image.fromarray(frame()).save(folder / "frame.png")
    torch.save(planted().module.state_dict(), folder / "planted.pth")
    (folder / "planted.segcam.yaml").write_text("input_channels: 1\nnormalization: unit\nclass_names: [finding]\n")
    arguments = ["explain", str(folder / "frame.png"), "--model", str(folder / "planted.pth"), "--device", "cpu"]
    arguments += ["--network-factory", "planted_network:Planted", "--out", str(folder / "out")]
    monkeypatch.setattr("sys.argv", ["napari-segcam", *arguments, *options])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_the_table_has_a_row_a_stage_of_each_method_that_both_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--crosscheck", "--stages", "shallow,deep", "--methods", "gradcam,seg-xres-cam,layercam"]
    assert explain(tmp_path, monkeypatch, *options) == 0
    with (tmp_path / "out" / "crosscheck.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["method"], row["stage"]) for row in rows] == [
        (method, stage) for method in ("gradcam", "layercam") for stage in ("shallow", "deep")
    ]
    for row in rows:
        assert float(row["largest_difference"]) < 1e-4
        assert float(row["seconds_theirs"]) > 0
        assert float(row["seconds_ours"]) > 0
        assert row["package"] == "grad-cam"
    printed = " ".join(capsys.readouterr().out.split())
    assert "Cross-check of Grad-CAM: grad-cam runs the network for each stage" in printed
    assert "Grad-CAM: 2 of 2 stages are the same to 0.1 % of the maximum" in printed
    assert "Seg-XRes-CAM: grad-cam does not have this method." in printed


def test_without_the_package_it_is_refused_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("napari_segcam.optional.find_spec", lambda name: None if name == "pytorch_grad_cam" else sys)
    assert explain(tmp_path, monkeypatch, "--crosscheck") == 2
    assert 'pip install "napari-segcam[grad-cam]"' in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()
