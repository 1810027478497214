"""Model cards: written, found and read beside a checkpoint, refused in words where they are not right."""

from __future__ import annotations

from pathlib import Path

import pytest
import segmentation_models_pytorch as smp
from pydantic import ValidationError

from napari_segcam.errors import SegcamError
from napari_segcam.network.model_card import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    ModelCard,
    SizeRule,
    card_path,
    find_card,
    read_card,
    write_card,
)

FULL = ModelCard(
    architecture="UnetPlusPlus",
    encoder="efficientnet-b5",
    input_channels=1,
    size=SizeRule(rule="letterbox", height=256, width=320),
    normalisation="zscore",
    class_names=("Hintergrund", "Myom – größtes"),
    threshold=0.35,
    notes="trained on: sweeps\nsecond line",
)


@pytest.mark.parametrize("card", [FULL, ModelCard()], ids=["full", "defaults"])
def test_a_card_comes_back_as_it_was_written(card: ModelCard, tmp_path: Path) -> None:
    write_card(card, tmp_path / "new folder" / "best.segcam.yaml")
    assert read_card(tmp_path / "new folder" / "best.segcam.yaml") == card
    assert [path.name for path in (tmp_path / "new folder").iterdir()] == ["best.segcam.yaml"]


def test_what_stands_at_its_default_is_not_written(tmp_path: Path) -> None:
    write_card(ModelCard(threshold=0.4), tmp_path / "card.yaml")
    assert (tmp_path / "card.yaml").read_text(encoding="utf-8") == "threshold: 0.4\n"


def test_an_empty_file_is_a_card_of_defaults(tmp_path: Path) -> None:
    (tmp_path / "card.yaml").write_text("# nothing to add\n", encoding="utf-8")
    assert read_card(tmp_path / "card.yaml") == ModelCard()


def test_a_card_lies_beside_its_file_or_inside_its_folder(tmp_path: Path) -> None:
    assert card_path(tmp_path / "best.v2.pth") == tmp_path / "best.v2.segcam.yaml"
    assert card_path(tmp_path) == tmp_path / "model.segcam.yaml"


def test_a_card_is_found_where_there_is_one(tmp_path: Path) -> None:
    checkpoint = tmp_path / "best.pth"
    assert find_card(checkpoint) is None
    write_card(FULL, card_path(checkpoint))
    assert find_card(checkpoint) == FULL


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("colour: red", "colour: Extra inputs"),
        ("threshold: 1.0", "threshold: .*less than 1"),
        ("threshold: 0", "threshold: .*greater than 0"),
        ("input_channels: 0", "input_channels: .*greater than or equal to 1"),
        ("normalisation: z-score", "normalisation: .*'zscore'"),
        ("class_names: fibroid", "class_names: "),
        ("size: {rule: resize, height: 256}", "size: .*both height and width"),
        ("size: {rule: letterbox}", "size: .*letterbox rule needs height and width"),
        ("size: {rule: pad, height: 256, width: 256}", "size: .*pad rule takes no height and width"),
        ("size: {rule: resize, height: 0, width: 256}", r"size\.height: "),
        ("threshold: 2\ninput_channels: 0", "input_channels: .*; threshold: "),
        ("- a\n- b", "card: "),
        ("a: [1, 2", "not valid YAML"),
    ],
)
def test_a_card_that_is_not_right_is_refused_with_file_and_field(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "best.segcam.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SegcamError, match=words) as refused:
        read_card(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_card_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SegcamError, match="cannot be read"):
        read_card(tmp_path / "missing.yaml")
    (tmp_path / "latin.yaml").write_bytes("notes: größer".encode("latin-1"))
    with pytest.raises(SegcamError, match="cannot be read"):
        read_card(tmp_path / "latin.yaml")


def test_a_card_runs_no_code(tmp_path: Path) -> None:
    (tmp_path / "card.yaml").write_text("notes: !!python/object/apply:os.getcwd []", encoding="utf-8")
    with pytest.raises(SegcamError, match="not valid YAML"):
        read_card(tmp_path / "card.yaml")


def test_a_card_cannot_be_changed_once_made() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        ModelCard().threshold = 0.9


def test_imagenet_statistics_are_smps() -> None:
    smps = smp.encoders.get_preprocessing_params("tu-resnet18")
    assert (tuple(smps["mean"]), tuple(smps["std"])) == (IMAGENET_MEAN, IMAGENET_STD)
