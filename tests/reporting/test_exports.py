from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from made_explanations import SHAPE, explanation, heatmap, overlapping, ramp
from PIL import Image

from napari_segcam.explanation.emptiness import Reason
from napari_segcam.reporting.cine_source import CineSource
from napari_segcam.reporting.exports import safe_name, write_explanation, write_frame
from napari_segcam.reporting.overlay_style import OverlayStyle

FRAME = np.random.default_rng(0).integers(0, 255, SHAPE, dtype=np.uint8)


def names_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_one_explanation_is_these_files(tmp_path: Path) -> None:
    write_explanation(tmp_path, FRAME, explanation({"encoder_5": heatmap(ramp())}))
    usual = ["encoder_5.png", "encoder_5.tif", "explanation.json", "frame.png", "heatmaps.npz", "mask.png", "sheet.png"]
    assert names_in(tmp_path) == usual


def test_each_kind_of_overlay_is_a_picture_of_its_own(tmp_path: Path) -> None:
    style = OverlayStyle(("contour", "heat", "side-by-side"), opacity=0.8)
    found = explanation({"encoder_5": heatmap(ramp())})
    write_explanation(tmp_path, FRAME, found, style)
    contour, heat = (np.asarray(Image.open(tmp_path / name)) for name in ("encoder_5.png", "encoder_5_heat.png"))
    different = (contour != heat).any(-1)
    assert different.any()
    assert not different[found.mask == 0].any(), "they differ by the mask's contour only"
    assert contour.shape == (*SHAPE, 3)
    assert Image.open(tmp_path / "encoder_5_side-by-side.png").width > 3 * SHAPE[1]


def test_the_look_is_obeyed(tmp_path: Path) -> None:
    found = explanation({"encoder_5": heatmap(ramp())})
    pictures = []
    for style in (OverlayStyle(), OverlayStyle(colormap="gray"), OverlayStyle(opacity=0)):
        write_explanation(tmp_path, FRAME, found, style)
        pictures.append(np.asarray(Image.open(tmp_path / "encoder_5.png")))
    assert (pictures[0] != pictures[1]).any()
    outside = found.mask == 0
    np.testing.assert_array_equal(pictures[2][outside], np.asarray(Image.open(tmp_path / "frame.png"))[outside])


def test_the_tiff_holds_raw_values_with_their_size_and_place(tmp_path: Path) -> None:
    values = ramp(6, 8) - 1
    found = explanation({"encoder_4": heatmap(values, name="encoder_4", signed=True, crop=(12, 60, 32, 96))})
    write_explanation(tmp_path, FRAME, found, source=CineSource("x.dcm", spacing_mm=(0.5, 0.25)), number=7)
    with tifffile.TiffFile(tmp_path / "encoder_4.tif") as file:
        np.testing.assert_array_equal(file.asarray(), values)
        (x, over_x), (y, over_y) = (file.pages[0].tags[name].value for name in ("XResolution", "YResolution"))
        described = file.imagej_metadata or {}
    assert (over_x / x, over_y / y) == pytest.approx((8 * 0.25, 8 * 0.5)), "mm per pixel of the map"
    assert described["unit"] == "mm"
    assert (described["xorigin"], described["yorigin"]) == (-4, -1.5), "where the frame begins, in pixels of the map"
    facts = json.loads(described["Info"])
    assert facts["scale"] == [8, 8]
    assert facts["translate"] == [12 + 3.5, 32 + 3.5]
    assert (facts["stage"], facts["method"], facts["class"], facts["frame"]) == ("encoder_4", "gradcam", "lesion", 7)


def test_the_provenance_says_what_was_explained_and_how_it_was_drawn(tmp_path: Path) -> None:
    empty = heatmap(np.zeros((3, 4)), name="e", reason=Reason.NOTHING_POSITIVE)
    found = explanation({"encoder_5": heatmap(ramp()), "e": empty})
    source = CineSource("clip.dcm", "ab" * 32, 40, float("nan"), (0.5, 0.25), (0, 255))
    write_explanation(
        tmp_path, FRAME, found, OverlayStyle(("heat",)), source=source, number=12, options={"methods": "gradcam"}
    )
    described = json.loads((tmp_path / "explanation.json").read_text())
    assert described["source"]["sha256"] == "ab" * 32
    assert described["source"]["spacing_mm"] == [0.5, 0.25]
    assert described["source"]["frame_rate"] is None, "JSON knows no NaN"
    assert described["frame"] == 12
    assert described["look"] == {"overlays": ["heat"], "colormap": "inferno", "opacity": 0.6}
    assert described["options"] == {"methods": "gradcam"}
    assert described["versions"]["torch"] == "2"
    assert described["versions"]["numpy"] == np.__version__
    stage = described["heatmaps"]["encoder_5"]
    assert (stage["raw_min"], stage["raw_max"], stage["raw_mean"]) == pytest.approx((0, 6, 3))
    assert described["heatmaps"]["e"]["empty_because"] == Reason.NOTHING_POSITIVE.value


def test_several_methods_and_classes_get_folders_and_one_comparison_for_each_class(tmp_path: Path) -> None:
    names = ("background", "left/right", "left_right")
    explained = [
        explanation({"encoder_5": heatmap(ramp())}, method=method, class_index=index, class_names=names)
        for method in ("gradcam", "layercam")
        for index in (1, 2)
    ]
    written = write_frame(tmp_path, FRAME, iter(explained), by_method=True, by_class=True)
    assert written == explained
    classes = ("left_right_1", "left_right_2")
    assert [name for name in names_in(tmp_path) if "/" not in name] == [f"comparison_{name}.png" for name in classes]
    folders = {str(path.parent.relative_to(tmp_path)) for path in tmp_path.rglob("explanation.json")}
    assert folders == {f"{method}/{name}" for method in ("gradcam", "layercam") for name in classes}


def test_what_came_before_a_fault_is_whole(tmp_path: Path) -> None:
    def explained():  # type: ignore[no-untyped-def]
        yield explanation({"encoder_5": heatmap(ramp())})
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_frame(tmp_path, FRAME, explained(), by_method=True)
    assert "gradcam/explanation.json" in names_in(tmp_path)
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize(
    ("text", "name"),
    [("encoder_5", "encoder_5"), ("a/b c", "a_b_c"), ("..", "_"), ("gradcam++", "gradcam++"), ("", "_")],
)
def test_names_are_safe_for_every_file_system(text: str, name: str) -> None:
    assert safe_name(text) == name


def test_classes_that_overlap_have_a_mask_file_each(tmp_path: Path) -> None:
    found = overlapping()
    write_explanation(tmp_path, np.zeros(SHAPE, np.uint8), found)
    assert not (tmp_path / "mask.png").exists()
    for index, name in enumerate(("mask_organ.png", "mask_lesion.png")):
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / name)), found.masks[index])
    told = json.loads((tmp_path / "explanation.json").read_text())
    assert told["mask_pixels"] == {"organ": 600, "lesion": 200}


def test_of_classes_that_overlap_each_is_outlined_in_its_own_color(tmp_path: Path) -> None:
    found = overlapping(class_colors=("#0000ff", "#00ff00"))
    write_explanation(tmp_path, np.zeros(SHAPE, np.uint8), found)
    drawn = np.asarray(Image.open(tmp_path / "encoder_5.png"))
    assert tuple(drawn[20, 50]) == (0, 0, 255), "the organ's upper edge"
    assert tuple(drawn[25, 50]) == (0, 255, 0), "the lesion's upper edge, within the organ"
