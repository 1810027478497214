"""Model cards are written, found and read beside a checkpoint, and refused with a reason if they have errors."""

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
    make_card,
    read_card,
    write_card,
)

FULL = ModelCard(
    architecture="UnetPlusPlus",
    encoder="efficientnet-b5",
    input_channels=1,
    size=SizeRule(rule="letterbox", height=256, width=320),
    normalization="zscore",
    class_names=("Hintergrund", "Myom – größtes"),
    class_colors=("#000000", "#00E5ff"),
    threshold=0.35,
    notes="trained on: sweeps\nsecond line",
    options={"decoder_atrous_rates": [6, 12, 18]},
    sha256="0123456789abcdef" * 4,
)


@pytest.mark.parametrize("card", [FULL, ModelCard()], ids=["full", "defaults"])
def test_a_card_is_read_as_it_was_written(card: ModelCard, tmp_path: Path) -> None:
    write_card(card, tmp_path / "new folder" / "best.segcam.yaml")
    assert read_card(tmp_path / "new folder" / "best.segcam.yaml") == card
    assert [path.name for path in (tmp_path / "new folder").iterdir()] == ["best.segcam.yaml"]


def test_fields_that_are_not_set_are_not_written(tmp_path: Path) -> None:
    write_card(ModelCard(threshold=0.5), tmp_path / "card.yaml")
    assert (tmp_path / "card.yaml").read_text(encoding="utf-8") == "threshold: 0.5\n"


def test_assumptions_are_written_as_comments(tmp_path: Path) -> None:
    write_card(ModelCard(threshold=0.5), tmp_path / "card.yaml", assumed={"normalization": "imagenet"})
    assert "#   normalization: imagenet\n" in (tmp_path / "card.yaml").read_text(encoding="utf-8")
    assert read_card(tmp_path / "card.yaml").model_fields_set == {"threshold"}


def test_an_existing_card_is_replaced_only_with_force(tmp_path: Path) -> None:
    write_card(FULL, tmp_path / "card.yaml")
    with pytest.raises(SegcamError, match=r"a model card already: .*card\.yaml"):
        write_card(ModelCard(), tmp_path / "card.yaml")
    assert read_card(tmp_path / "card.yaml") == FULL
    write_card(ModelCard(threshold=0.2), tmp_path / "card.yaml", force=True)
    assert read_card(tmp_path / "card.yaml") == ModelCard(threshold=0.2)


def test_fields_replace_those_of_a_card() -> None:
    card = make_card({"threshold": 0.2}, ModelCard(input_channels=1, threshold=0.4))
    assert card == ModelCard(input_channels=1, threshold=0.2)
    assert card.model_fields_set == {"threshold", "input_channels"}
    with pytest.raises(SegcamError, match=r"there is no field treshold \(did you mean threshold\?\)"):
        make_card({"treshold": 0.2})


def test_an_empty_file_is_a_card_with_defaults(tmp_path: Path) -> None:
    (tmp_path / "card.yaml").write_text("# nothing to add\n", encoding="utf-8")
    assert read_card(tmp_path / "card.yaml") == ModelCard()


def test_a_card_is_beside_its_file_or_in_its_folder(tmp_path: Path) -> None:
    assert card_path(tmp_path / "best.v2.pth") == tmp_path / "best.v2.segcam.yaml"
    assert card_path(tmp_path) == tmp_path / "model.segcam.yaml"


def test_a_card_is_found_beside_a_checkpoint(tmp_path: Path) -> None:
    checkpoint = tmp_path / "best.pth"
    assert find_card(checkpoint) is None
    write_card(FULL, card_path(checkpoint))
    assert find_card(checkpoint) == FULL


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("color: red", "there is no field color"),
        ("class_color: red", r"there is no field class_color \(did you mean class_colors\?\)"),
        ("size: {hight: 256}", r"there is no field size\.hight \(did you mean height\?\)"),
        ("threshold: 1.0", r"threshold is 1\.0: input should be less than 1"),
        ("threshold: 0", "threshold is 0: .*greater than 0"),
        ("input_channels: 0", "input_channels is 0: .*greater than or equal to 1"),
        (
            "normalization: z-score",
            "normalization is 'z-score', but may be 'imagenet', 'unit', 'zscore', 'percentile', 'custom' or",
        ),
        ("normalization: custom", "custom normalization needs mean and std"),
        ("{normalization: custom, mean: [0.5, 0.5], std: [0.2, 0.2]}", r"one for each input channel \(3\)"),
        ("{normalization: custom, mean: [0.5], std: [0]}", r"std\.0 is 0: .*greater than or equal to 0.000001"),
        ("{mean: [0.5], std: [0.2]}", "mean and std are for normalization custom, not imagenet"),
        ("class_names: fibroid", "class_names is 'fibroid': "),
        ("{class_names: [a, b], class_colors: ['#00ff00']}", "1 class_colors for 2 class_names"),
        ("{class_names: [a], class_colors: [green]}", r"class_colors\.0 is 'green': "),
        ("sha256: abc", "sha256 is 'abc': "),
        ("size: {rule: resize, height: 256}", "size: give both height and width"),
        ("size: {rule: letterbox}", "size: .*letterbox rule needs height and width"),
        ("size: {rule: pad, height: 256, width: 256}", "size: .*pad rule takes no height and width"),
        ("size: {rule: resize, height: 0, width: 256}", r"size\.height is 0: "),
        ("threshold: 2\ninput_channels: 0", "input_channels is 0: .*; threshold is 2: "),
        ("- a\n- b", "a card consists of fields with values"),
        ("a: [1, 2", "not valid YAML"),
    ],
)
def test_a_card_with_errors_is_refused_with_file_and_field(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "best.segcam.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SegcamError, match=words) as refusal:
        read_card(path)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


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


def test_a_card_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        ModelCard().threshold = 0.9


def test_imagenet_statistics_equal_those_of_smp() -> None:
    parameters = smp.encoders.get_preprocessing_params("tu-resnet18")
    assert (tuple(parameters["mean"]), tuple(parameters["std"])) == (IMAGENET_MEAN, IMAGENET_STD)
