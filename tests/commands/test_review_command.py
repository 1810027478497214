"""The command ``review new``, as a user runs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_segcam import cli
from napari_segcam.demo import demo_checkpoint
from napari_segcam.review.project import open_project

Run = Callable[..., int]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    (tmp_path / "images").mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 255, (48, 64), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{number}.png")
    monkeypatch.chdir(tmp_path)

    def run(*options: object) -> int:
        monkeypatch.setattr("sys.argv", ["napari-segcam", "review", *map(str, options)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        code = end.value.code
        return code if isinstance(code, int) else 0

    return run


def test_new_makes_a_project_with_the_settings_of_the_options(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--hide-prediction", "--hide-heatmaps", "until-verdict", "--shuffle", 3, "--repeats", 1]
    chosen = ["--reasons", "too small, too large", "--stages", "encoder_5,decoder_x_0_4", "--threshold", 0.4]
    assert run("new", "study", "--images", "images", "--model", demo_checkpoint(), *options, *chosen) == 0
    assert "3 cases" in capsys.readouterr().out
    settings = open_project("study").settings
    assert settings.hide_prediction
    assert (settings.hide_heatmaps, settings.shuffle_seed, settings.repeats) == ("until verdict", 3, 1)
    assert settings.reasons == ("too small", "too large")
    assert settings.stages == ("encoder_5", "decoder_x_0_4")
    assert settings.threshold == 0.4
    assert len(open_project("study").readings("anna")) == 4


@pytest.mark.slow
def test_a_second_checkpoint_is_kept_as_b_and_reasons_can_be_in_a_file(run: Run) -> None:
    Path("reasons.txt").write_text("one\n\ntwo words\n", encoding="utf-8")
    model = demo_checkpoint()
    arguments = ("--images", "images", "--model", model, "--second", model, "--reasons", "reasons.txt")
    assert run("new", "study", *arguments) == 0
    project = open_project("study")
    assert [checkpoint.name for checkpoint in project.checkpoints] == ["A", "B"]
    assert project.settings.reasons == ("one", "two words")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("new", "study", "--images", "images"), "--model FILE is missing"),
        (("new", "study", "--model", "m.pth"), "--images DIR is missing"),
        (("new", "study", "--images", "images", "--model", "m.pth"), "m.pth"),
        (("new", "study", "--images", "images", "--model", "m.pth", "--reasons", "a,a"), "reasons"),
        (("new", "study", "--images", "images", "--model", "m.pth", "--reasons", "none.txt"), "none.txt"),
        (("new", "images", "--images", "images", "--model", "m.pth"), "not empty"),
    ],
)
def test_wrong_arguments_are_one_line_and_leave_nothing(
    run: Run, capsys: pytest.CaptureFixture[str], arguments: tuple[object, ...], message: str
) -> None:
    assert run(*arguments) == 2
    error = capsys.readouterr().err.strip()
    assert error.count("\n") == 0
    assert message in error
    assert not Path("study").exists()
