"""The examples of docs/functions.md run as they are written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from napari.components import ViewerModel

PAGE = Path(__file__).parents[2] / "docs" / "functions.md"


class PageViewer:
    """A viewer without a window, which notes what is docked."""

    def __init__(self) -> None:
        self.model, self.window = ViewerModel(), self
        self.docked: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def add_dock_widget(self, widget: Any) -> None:
        self.docked.append(widget)


@pytest.mark.slow
def test_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    for name, classes in (("best_model.pth", 1), ("two_classes.pth", 2)):
        torch.save(smp.Unet("resnet18", encoder_weights=None, classes=classes).state_dict(), tmp_path / name)
    (tmp_path / "two_classes.segcam.yaml").write_text(
        "class_names: [cyst, wall]\nclasses_overlap: true\n", encoding="utf-8"
    )
    frames = np.random.default_rng(0).integers(0, 255, (2, 64, 32), dtype=np.uint8)
    np.save(tmp_path / "clip.npy", frames)
    monkeypatch.chdir(tmp_path)
    viewer = PageViewer()
    viewer.add_image(frames, name="clip")
    names: dict[str, Any] = {"viewer": viewer}
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert names["labels"].shape == names["cyst"].shape == (2, 64, 32)
    assert capsys.readouterr().out.splitlines() == [
        "encoder_4 gradcam (image) (2, 4, 2)",
        "encoder_5 gradcam (image) (2, 2, 1)",
    ]
    assert "encoder_5 gradcam (clip)" in viewer.layers
    (widget,) = viewer.docked
    widget.close()
