"""A batch in one process: what is written, in which order, and what it says of images that fail."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import tifffile
import torch
from batches import SIDE, all_files, errors_in, records_in, rows_in, write_checkpoint, write_images
from PIL import Image

import napari_segcam as sc
from napari_segcam.batch.image_processing import OutputOptions
from napari_segcam.batch.true_masks import open_masks
from napari_segcam.evidence.doubt.features import pooled_features
from napari_segcam.explanation.runner import Runner
from napari_segcam.network.model_card import ModelCard
from napari_segcam.reporting.run_format import COLUMNS


def test_the_figures_are_those_of_the_explainer(network: sc.Network, images: Path, tmp_path: Path) -> None:
    run, truth = tmp_path / "run", tmp_path / "masks"
    results = list(sc.run_batch(images, run, network, sc.ExplainOptions(("gradcam", "layercam")), truth=truth))
    assert [result.image for result in results] == ["image_0.png", "image_1.png", "image_2.png"]
    explainer = sc.Explainer(network, "layercam", "main")
    explanation = explainer(sc.open_cine(images / "image_2.png")[0])
    true = open_masks(truth / "image_2_mask.png")[0] > 0
    expected, against_truth = sc.attention(explanation), sc.attention(explanation, true)
    found = explanation.mask > 0
    rows = {row["stage"]: row for row in results[2].rows if row["method"] == "layercam"}
    assert list(rows) == [stage.name for stage in explainer.stages]
    for stage, row in rows.items():
        assert list(row) == list(COLUMNS)
        assert (row["mean"], row["std"]) == (expected[stage].mean, expected[stage].std)
        assert (row["ratio"], row["undefined"]) == (expected[stage].ratio, expected[stage].undefined or "")
        assert row["truth_ratio"] == against_truth[stage].ratio
        assert row["truth_inside"] != row["inside"]
        assert row["dice"] == 2 * (found & true).sum() / (found.sum() + true.sum())
        assert (row["pixels"], row["truth_pixels"], row["area_mm2"]) == (found.sum(), true.sum(), None)


@pytest.mark.slow
@pytest.mark.parametrize("region", ["mask", "image"])
def test_classes_share_a_forward_pass_and_have_the_figures_of_each_alone(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, region: str
) -> None:
    network = sc.load_network(write_checkpoint(tmp_path / "three.pth", classes=3), "cpu")
    passes = []
    forward = Runner.forward
    monkeypatch.setattr(Runner, "forward", lambda *given: passes.append(1) or forward(*given))
    options = sc.ExplainOptions(("gradcam", "hirescam"), classes=("1", "2"), region=region)
    (together, *_), count = list(sc.run_batch(images, tmp_path / "both", network, options)), len(passes)
    assert count == 2 * 3, "one for each method and image"
    for index in ("1", "2"):
        (alone, *_) = sc.run_batch(images, tmp_path / index, network, replace(options, classes=(index,)))
        name = network.class_names[int(index)]
        assert alone.rows == [row for row in together.rows if row["class"] == name]
    assert list(dict.fromkeys((row["method"], row["class"]) for row in together.rows)) == [
        (method, network.class_names[index]) for method in ("gradcam", "hirescam") for index in (1, 2)
    ]


def test_the_table_holds_the_rows_exactly_and_in_order(network: sc.Network, images: Path, tmp_path: Path) -> None:
    results = list(sc.run_batch(images, tmp_path / "run", network, parquet=True))
    given = [row for result in results for row in result.rows]
    table = rows_in(tmp_path / "run")
    assert [list(row.values()) for row in table] == [
        ["" if value is None else str(value) for value in row.values()] for row in given
    ]
    assert {row["truth_undefined"] for row in table} == {"there is no true mask"}
    parquet = pytest.importorskip("pyarrow.parquet").read_table(tmp_path / "run" / "results.parquet")
    assert parquet.to_pylist() == given


def test_a_record_and_the_run_say_what_they_are(network: sc.Network, images: Path, tmp_path: Path) -> None:
    list(sc.run_batch(images, tmp_path / "run", network, truth=tmp_path / "masks", num_samples=2, seed=5))
    first = records_in(tmp_path / "run")[0]
    assert first["truth"] == first["image"].replace(".png", "_mask.png")
    assert (first["frames"], first["shape"], first["spacing_mm"]) == (1, [SIDE, SIDE], None)
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (run["format"], run["napari_segcam"]) == (1, sc.__version__)
    assert run["model"]["sha256"] == network.sha256
    assert (run["data"]["count"], run["data"]["found"], run["data"]["seed"]) == (2, 3, 5)
    assert run["given"] == {}
    assert run["versions"]["torch"] == torch.__version__.partition("+")[0]


def test_features_of_each_frame_are_kept_where_they_are_asked_for(
    network: sc.Network, images: Path, tmp_path: Path
) -> None:
    list(sc.run_batch(images, tmp_path / "run", network, outputs=OutputOptions(features=True)))
    list(sc.run_batch(images, tmp_path / "without", network))
    assert not any("features" in record for record in records_in(tmp_path / "without"))
    explainer = sc.Explainer(network, stages=())
    for record in records_in(tmp_path / "run"):
        (kept,) = record["features"]["frames"]
        frame = sc.open_cine(images / record["image"])[0]
        expected = pooled_features(network, explainer(frame), frame)
        assert kept == pytest.approx(expected.tolist(), rel=1e-4)
    with pytest.raises(sc.SegcamError, match="features was"):
        sc.run_batch(images, tmp_path / "run", network)


def test_a_bad_image_is_reported_and_the_others_go_on(network: sc.Network, images: Path, tmp_path: Path) -> None:
    (images / "image_0.png").write_bytes(b"no image")
    (images / "empty.dcm").touch()
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(tmp_path / "masks" / "image_2_mask.png")
    results = {one.image: one for one in sc.run_batch(images, tmp_path / "run", network, truth=tmp_path / "masks")}
    assert {name for name, result in results.items() if not result.error} == {"image_1.png"}
    errors = errors_in(tmp_path / "run")
    assert list(errors) == ["empty.dcm", "image_0.png", "image_2.png"]
    assert "empty.dcm is empty" in errors["empty.dcm"]
    assert "5×5 pixels, but the image 64×64" in errors["image_2.png"]
    assert {row["image"] for row in rows_in(tmp_path / "run")} == {"image_1.png"}


def test_an_error_of_ours_or_of_a_reader_does_not_end_the_run(
    network: sc.Network, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_given: object) -> None:
        raise ZeroDivisionError("of all\nthings")

    monkeypatch.setattr("napari_segcam.batch.image_processing.rows_of", fails)
    assert [one.error for one in sc.run_batch(images, tmp_path / "run", network)] == 3 * [
        "ZeroDivisionError: of all things"
    ]


def test_a_cine_has_rows_for_each_frame_and_truth_for_each(network: sc.Network, tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (3, SIDE, SIDE), dtype=np.uint8)
    masks = np.zeros_like(frames)
    for number in range(3):
        masks[number, : 10 * (number + 1)] = 1
    for folder, pages in (("data", frames), ("masks", masks)):
        (tmp_path / folder).mkdir()
        tifffile.imwrite(tmp_path / folder / "sweep.tif", pages, photometric="minisblack")
    options = sc.ExplainOptions(stages=["encoder_last"])
    (result,) = sc.run_batch(
        tmp_path / "data",
        tmp_path / "run",
        network,
        options,
        truth=tmp_path / "masks",
        outputs=OutputOptions(overlays=True),
    )
    assert [(row["frame"], row["truth_pixels"]) for row in result.rows] == [(0, 640), (1, 1280), (2, 1920)]
    (record,) = records_in(tmp_path / "run")
    assert record["sheet_frame"] == max(range(3), key=lambda number: result.rows[number]["pixels"])
    assert (tmp_path / "run" / "gradcam" / "foreground" / "sweep_frame_0002.jpg").exists()


def test_overlays_have_a_folder_for_what_there_is_several_of(network: sc.Network, images: Path, tmp_path: Path) -> None:
    def tree(run: str, options: sc.ExplainOptions) -> set[str]:
        outputs = OutputOptions(pictures=False, overlays=True)
        list(sc.run_batch(images, tmp_path / run, network, options, num_samples=1, outputs=outputs))
        return {str(Path(name).parent) for name in all_files(tmp_path / run) if name.startswith("gradcam")}

    assert tree("one", sc.ExplainOptions(stages=["encoder_5"])) == {"gradcam/foreground"}
    assert tree("many", sc.ExplainOptions(("gradcam", "layercam"), ["encoder_1", "encoder_5"])) == {
        f"gradcam/foreground/{method}/{stage}"
        for method in ("gradcam", "layercam")
        for stage in ("encoder_1", "encoder_5")
    }
    assert not list((tmp_path / "one").rglob("sheet.jpg"))


def test_classes_whose_names_clash_have_folders_of_their_own(images: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = smp.Unet("resnet18", encoder_weights=None, classes=3).eval()
    network = sc.Network.from_module(module, ModelCard(class_names=("none", "head/left", "head:left")), device="cpu")
    options = sc.ExplainOptions(stages=["encoder_5"], classes=("1", "2"))
    outputs = OutputOptions(pictures=False, overlays=True)
    list(sc.run_batch(images, tmp_path / "run", network, options, num_samples=1, outputs=outputs))
    assert {path.name for path in (tmp_path / "run" / "gradcam").iterdir()} == {"head_left_1", "head_left_2"}


def test_images_of_one_name_have_pictures_of_their_own(network: sc.Network, tmp_path: Path) -> None:
    frame = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE), dtype=np.uint8)
    for name in ("a/scan.png", "a/scan.bmp", "b/scan.png", "ünï ✓.png"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(frame).save(path)
    outputs, options = OutputOptions(overlays=True), sc.ExplainOptions(stages=["encoder_5"])
    results = list(sc.run_batch(tmp_path / "data", tmp_path / "run", network, options, outputs=outputs))
    assert not any(result.error for result in results)
    pictures = [path for path in all_files(tmp_path / "run") if path.startswith("gradcam")]
    assert len(pictures) == 4
    assert "gradcam/foreground/a/scan.bmp.jpg" in pictures
    assert len(records_in(tmp_path / "run")) == 4
    assert all(name.isascii() for name in all_files(tmp_path / "run"))


def test_closing_stops_and_the_tables_hold_what_is_done(network: sc.Network, images: Path, tmp_path: Path) -> None:
    results = sc.run_batch(images, tmp_path / "run", network)
    next(results)
    results.close()
    assert {row["image"] for row in rows_in(tmp_path / "run")} == {"image_0.png"}
    assert len(records_in(tmp_path / "run")) == 1


def test_cancelling_within_an_image_leaves_nothing_of_it(network: sc.Network, images: Path, tmp_path: Path) -> None:
    asked = 0

    def asked_more_than(often: float) -> bool:
        nonlocal asked
        asked += 1
        return asked > often

    options = sc.ExplainOptions(("gradcam", "layercam", "gradcam++"), ["encoder_5"])
    list(sc.run_batch(images, tmp_path / "whole", network, options, cancelled=lambda: asked_more_than(np.inf)))
    half, asked = asked // 2, 0  # in the middle of the second of three
    results = list(sc.run_batch(images, tmp_path / "run", network, options, cancelled=lambda: asked_more_than(half)))
    assert 0 < len(results) < 3
    assert len(records_in(tmp_path / "run")) == len(results)
    assert not errors_in(tmp_path / "run")


def test_no_figure_is_nan_and_what_was_not_found_is_undefined(tmp_path: Path) -> None:
    network = sc.load_network(write_checkpoint(tmp_path / "unet.pth"), "cpu")
    with torch.no_grad():
        network.module.segmentation_head[0].bias.fill_(-1e4)  # it finds nothing
        network.form.module.segmentation_head[0].bias.fill_(-1e4)
    images = write_images(tmp_path / "data", 1, tmp_path / "masks")
    (result,) = sc.run_batch(images, tmp_path / "run", network, truth=tmp_path / "masks")
    for row in result.rows:
        assert (row["pixels"], row["dice"], row["probability"]) == (0, 0.0, None)
        assert [row[key] for key in ("mean", "std", "inside", "ratio", "truth_inside", "truth_ratio")] == 6 * [None]
        assert "found nothing of this class" in row["empty"]
        assert row["undefined"] == row["truth_undefined"] == row["empty"]
        assert not any(isinstance(value, float) and math.isnan(value) for value in row.values())


@pytest.mark.usefixtures("images")
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"out": "data"}, "cannot be written to the folder of the images"),
        ({"source": "nothing"}, "There is no folder or list"),
        ({"source": "unet.pth"}, "neither a folder nor a CSV list"),
        ({"truth": "nothing"}, "There is no folder of true masks"),
        ({"truth": "empty"}, "There is no image"),
        ({"options": sc.ExplainOptions(region="false-positive")}, "needs true masks"),
        ({"options": sc.ExplainOptions(crop="1,2,3")}, "The crop 1,2,3 is not understood"),
        ({"options": sc.ExplainOptions(("gradcam", "gracam"))}, "no method 'gracam'"),
        ({"options": sc.ExplainOptions(classes=("5",))}, "no class 5"),
        (
            {"truth_colors": {"head": (1, 2, 3), "leg": (3, 2, 1)}, "options": sc.ExplainOptions(classes=("0",))},
            "The color table has 2 classes",
        ),
    ],
)
def test_what_is_wrong_with_all_is_said_once_before_anything_is_written(
    checkpoint: Path, tmp_path: Path, given: dict[str, object], said: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "unet.pth").write_bytes(b"")
    usual: dict[str, object] = {"source": "data", "out": "run"}
    arguments = {key: tmp_path / value if isinstance(value, str) else value for key, value in (usual | given).items()}
    with pytest.raises(sc.SegcamError, match=said):
        sc.run_batch(model=checkpoint, **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()
