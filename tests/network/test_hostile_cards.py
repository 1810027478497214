"""Model cards made to take hours or gigabytes, to distort numbers or to reach the terminal are refused in a line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hostile import ends_in_one_line

from napari_segcam.network.model_card import ModelCard, make_card, read_card, write_card
from napari_segcam.network.settings_text import parse_yaml, read_json

NESTED_ANCHORS = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(24)
)
CUSTOM = "{{normalization: custom, mean: [{}], std: [{}]}}"

CARDS: dict[str, str | Callable[[], str]] = {
    "anchors that repeat each other": NESTED_ANCHORS,
    "an anchor alone": "notes: &n text",
    "an anchor that holds itself": "options: &o {a: *o}",
    "anchors that are merged": "options: &o {a: 1}\nsize: {<<: *o}",
    "a size of 2 to the 20": "size: {rule: resize, height: 1048576, width: 1048576}",
    "a size of 10 to the 18": "size: {rule: letterbox, height: 1000000000000000000, width: 8}",
    "a large size in each direction": "size: {rule: resize, height: 8192, width: 8192}",
    "channels of 10 to the 18": "input_channels: 1000000000000000000",
    "channels of a hundred thousand bits": lambda: "input_channels: 0x" + "f" * 25_000,
    "a number of a hundred thousand digits": lambda: "input_channels: " + "9" * 100_000,
    "options of 10 to the 18": "options: {decoder_atrous_rates: [1000000000000000000]}",
    "an infinite option": "options: {scale: .inf}",
    "an option of half a million bits": lambda: "options: {scale: 0x" + "f" * 100_000 + "}",
    "options nested very deeply": lambda: "options: " + "{a: " * 100 + "1" + "}" * 100,
    "lists nested very deeply": lambda: "options: " + "[" * 100_000,
    "a card of megabytes": lambda: "notes: " + "x" * 10_000_000,
    "a hundred thousand wrong fields": lambda: "\n".join(f"{n}: 1" for n in range(10_000)),
    "a wrong field with a very long name": lambda: "x" * 100_000 + ": 1",
    "a very long class name": lambda: "class_names: [" + "x" * 100_000 + "]",
    "a mean of NaN": CUSTOM.format(".nan", "0.2"),
    "a mean of infinity": CUSTOM.format(".inf", "0.2"),
    "a mean of 1e300": CUSTOM.format("1.0e+300", "0.2"),
    "a deviation of NaN": CUSTOM.format("0.5", ".nan"),
    "a deviation of infinity": CUSTOM.format("0.5", ".inf"),
    "a deviation of 1e-320": CUSTOM.format("0.5", "1.0e-320"),
    "a deviation of 0": CUSTOM.format("0.5", "0"),
    "a negative deviation": CUSTOM.format("0.5", "-0.2"),
    "a threshold of NaN": "threshold: .nan",
    "a class name that clears the screen": 'class_names: ["\\e[2J\\e[31mred"]',
    "a class name that reverses the text": 'class_names: ["\\u202egnp.exe"]',
    "an empty class name": 'class_names: [""]',
    "notes that set the window's title": 'notes: "\\e]0;title\\a"',
    "an architecture with a bell character": 'architecture: "Unet\\a"',
    "an option that hides text": 'options: {a: "\\e[8m"}',
    "a field that hides text": '"\\e[8m": 1',
    "an impossible date": "notes: 2024-99-99",
    "a list as a key": "? [a, b]\n: 1",
    "an object of Python": "notes: !!python/object/apply:os.system [ls]",
    "two documents": "a: 1\n---\nb: 2",
    "bytes": "notes: !!binary ////",
}


@pytest.mark.parametrize("content", CARDS.values(), ids=CARDS.keys())
def test_a_hostile_card_is_refused(content: str | Callable[[], str], tmp_path: Path) -> None:
    path = tmp_path / "best.segcam.yaml"
    path.write_text(content if isinstance(content, str) else content(), encoding="utf-8")
    assert "best.segcam.yaml" in ends_in_one_line(lambda: read_card(path))


@pytest.mark.parametrize("name", [name for name in CARDS if name.startswith(("a mean", "a deviation", "a size"))])
def test_values_that_are_refused_in_a_file_are_refused_everywhere(name: str) -> None:
    content = CARDS[name]
    assert isinstance(content, str)
    ends_in_one_line(lambda: make_card(parse_yaml(content)))


def test_a_usual_card_is_read_as_it_was_written(tmp_path: Path) -> None:
    card = make_card(
        {
            "architecture": "Unet",
            "options": {"decoder_atrous_rates": [12, 24, 36], "interpolation": "nearest"},
            "normalization": "custom",
            "mean": [123.675],
            "std": [0.00392],
            "class_names": ["Schilddrüse", "甲状腺", "plaque (wall)"],
            "size": {"rule": "resize", "height": 4096, "width": 8192},
            "notes": "two\nlines\tand a tab",
        }
    )
    write_card(card, tmp_path / "card.yaml", assumed={"normalization": "two\nlines: 1"})
    assert read_card(tmp_path / "card.yaml") == card
    assert read_card(tmp_path / "card.yaml") != ModelCard()


@pytest.mark.parametrize("content", ["[" * 200_000, "9" * 10_000, '{"a": NaN', "\udcff"])
def test_settings_that_are_not_json_raise_one_kind_of_error(content: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=r"."):
        read_json(tmp_path / "config.json")


def test_settings_that_are_too_large_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps("x" * 20_000_000))
    ends_in_one_line(lambda: read_json(tmp_path / "config.json"))
