"""A small run, written by hand as ``napari-segcam batch`` writes one."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

STAGES = ("encoder_1", "encoder_5", "decoder_last")
OF_TRUTH = {"truth_inside", "truth_outside", "truth_ratio", "truth_pixels", "truth_area_mm2", "dice", "iou"}
HOSTILE = (
    "<script>alert(1)</script>.png",
    "a&b \"quoted\" 'twice'.png",
    "$x_1$ costs $5.png",
    "Uterus größer 子宮 🩺.png",
    "bell\x07 and \u202egnp.exe",
    "very_long_" * 24 + ".png",
    "</td></para><b>.png",
)


class WriteRun(Protocol):
    """``write_run(names, …)``: the folder of a finished run of these images."""

    def __call__(
        self,
        names: tuple[str, ...] = ...,
        classes: tuple[str, ...] = ...,
        methods: tuple[str, ...] = ...,
        truth: bool = ...,
        failures: tuple[tuple[str, str], ...] = ...,
        count: int | None = ...,
        **changes: Any,
    ) -> Path: ...


def write_record(folder: Path, key: str, record: dict[str, Any]) -> None:
    """Write one image's result and its sheet."""
    home = folder / "images" / key
    home.mkdir(parents=True)
    content = io.BytesIO()
    shade = np.random.default_rng(len(key)).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    Image.fromarray(shade).save(content, format="JPEG")
    (home / "sheet.jpg").write_bytes(content.getvalue())
    (home / "record.json").write_text(json.dumps(record), encoding="utf-8")


def places(classes: tuple[str, ...], methods: tuple[str, ...]) -> list[tuple[str, str, str]]:
    return [(name, method, stage) for name in classes for method in methods for stage in STAGES]


def row(image: str, number: int, class_name: str, method: str, stage: str, **changes: Any) -> dict[str, Any]:
    """A row of the n-th image; its figures grow with n."""
    ratio = 1.5 + number + STAGES.index(stage)
    figures = {
        "image": image,
        "frame": 0,
        "class": class_name,
        "method": method,
        "stage": stage,
        "mean": 0.2,
        "std": 0.1,
        "inside": ratio,
        "outside": 1.0,
        "ratio": ratio,
        "undefined": None,
        "truth_inside": 1.0,
        "truth_outside": 1.0,
        "truth_ratio": ratio / 2,
        "truth_undefined": None,
        "dice": 0.5 + number / 100,
        "iou": 0.4,
        "overlap_undefined": None,
        "pixels": 20 + number,
        "area_mm2": 2.0,
        "probability": 0.8,
        "truth_pixels": 22,
        "truth_area_mm2": 2.2,
        "empty": "",
    }
    return {**figures, **changes}


def run_writer(parent: Path) -> WriteRun:
    """A function that writes a finished run to ``parent/run``; its ``changes`` are made to ``run.json``."""

    def write(
        names: tuple[str, ...] = ("a.png", "b.png", "c.png"),
        classes: tuple[str, ...] = ("fibroid",),
        methods: tuple[str, ...] = ("gradcam",),
        truth: bool = True,
        failures: tuple[tuple[str, str], ...] = (),
        count: int | None = None,
        **changes: Any,
    ) -> Path:
        folder = parent / "run"
        folder.mkdir()
        for number, name in enumerate(names):
            rows = [row(name, number, *place) for place in places(classes, methods)]
            if not truth:
                rows = [{key: None if key in OF_TRUTH else one[key] for key in one} for one in rows]
            record = {"image": name, "truth": f"truth/{name}" if truth else None, "frames": 1, "shape": [8, 8]}
            write_record(folder, f"key_{number}", {**record, "spacing_mm": None, "rows": rows, "sheet": "sheet.jpg"})
        about = {
            "format": 1,
            "napari_segcam": "0.1.0",
            "model": {"checkpoint": "best.pth", "sha256": "ab" * 32, "model_card": {"size": {"rule": "pad"}}},
            "options": {"methods": list(methods), "stages": "main", "classes": list(classes), "preview": False},
            "data": {"source": "/data/my scans", "count": len(names) + len(failures) if count is None else count},
            "versions": {"torch": "2.10"},
            "started": "2026-01-02T03:04:05+00:00",
        }
        (folder / "run.json").write_text(json.dumps({**about, **changes}), encoding="utf-8")
        lines = ["image,error", *(f'"{name}","{error}"' for name, error in failures)]
        (folder / "errors.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return folder

    return write
