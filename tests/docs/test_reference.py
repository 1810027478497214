"""Every key, command, option, variable, column and public name is in the reference, and none that does not exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import columns_page
import command_line_page
import keys_page
import pytest
import python_page

import napari_segcam
from napari_segcam.preferences.catalog import PREFERENCES
from napari_segcam.viewer.keys import KEYS, key_rows

PACKAGE = Path(napari_segcam.__file__).parent
SOURCES = {path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}


def cells(page: str, heading: str) -> list[str]:
    """Return the first cell of each row of the tables on a page whose first column has this heading."""
    found, inside = [], False
    for line in page.splitlines():
        if not line.startswith("|"):
            inside = False
        elif line.startswith(f"| {heading} |"):
            inside = True
        elif inside and not line.startswith("| --- |"):
            found.append(re.split(r"(?<!\\) \| ", line[2:])[0])
    return found


def codes(text: str) -> list[str]:
    """Return what a text has in backticks."""
    return re.findall(r"`([^`]+)`", text)


def test_all_keys_are_listed_and_no_others() -> None:
    listed = [key for cell in cells(keys_page.keys_page(), "key") for key in codes(cell)]
    own = {key for keys in keys_page.WIDGET_KEYS.values() for _, key, _ in keys}
    ranges = {key for row, _ in key_rows() for key in row.split(" … ")}
    assert set(listed) == ranges | own
    for key in KEYS:
        digit = re.fullmatch(r"(.+\+)\d", key.key)
        assert key.key in listed or (digit and f"{digit[1]}1" in listed), f"{key.key} is not in the reference"


def test_the_keys_of_single_widgets_are_those_that_their_code_takes() -> None:
    taken = {
        path: set(re.findall(r"\bKey_(\w+)", text)) for path, text in SOURCES.items() if path.startswith("viewer/")
    }
    described = {path: {name for name, _, _ in keys} for path, keys in keys_page.WIDGET_KEYS.items()}
    assert {path: names for path, names in taken.items() if names} == described


def test_every_option_of_every_command_is_on_its_page() -> None:
    sections = dict(re.findall(r"^##+ napari-segcam ([^\n]+)\n(.*?)(?=^##|\Z)", page := command_line(), re.M | re.S))
    names = [name for name, _ in command_line_page.commands()]
    assert sorted(sections) == sorted(names)
    for name, command in command_line_page.commands():
        if command_line_page.is_group(command):
            continue
        listed = {word for cell in cells(sections[name], "option") for word in codes(cell) if word.startswith("-")}
        assert listed | {"--help"} == command_line_page.options_of(command), name
        assert f"napari-segcam {name}" in page
        unexplained = re.findall(r"^\| (`[^|]*) \|  \|", sections[name], re.M)
        assert not unexplained, f"{name}: without a help text: {unexplained}"


def test_a_command_is_described_by_one_sentence_that_ends() -> None:
    for name, command in command_line_page.commands():
        first = command.help.partition("\n\n")[0]
        assert first[0].isupper(), name
        assert first.endswith("."), name


def command_line() -> str:
    """Return the page of the command line."""
    return command_line_page.command_line_page()


def test_exit_codes_are_those_that_help_texts_name() -> None:
    for name, command in command_line_page.commands():
        for sentence in re.findall(r"Exit code (.*?)\.(?:\s|$)", command.help, re.S):
            named = {int(number) for number in re.findall(r"\b(\d+):", sentence)}
            assert named <= set(command_line_page.EXIT_CODES), name


def test_all_environment_variables_are_listed_and_no_others() -> None:
    internal = {"NAPARI_SEGCAM_TRIAL"}  # set for a process of our own
    named = {name for text in SOURCES.values() for name in re.findall(r"NAPARI_SEGCAM(?:_[A-Z]+)+\b_?", text)}
    prefixes = {name for name in named if name.endswith("_")} | {"NAPARI_SEGCAM_PACS"}
    listed = set(command_line_page.environment())
    assert named - prefixes - internal <= listed
    sources = "\n".join(SOURCES.values())
    for name in listed - named - {preference.variable for preference in PREFERENCES}:
        head, _, tail = name.rpartition("_")
        assert head == "NAPARI_SEGCAM_PACS", name
        assert re.search(rf"_{tail}\b|\"{tail}\"", sources), f"{name} is read nowhere"


@pytest.mark.parametrize("written", columns_page.written_tables(), ids=lambda written: written.file)
def test_the_columns_of_a_table_are_described_and_no_others(written: columns_page.WrittenTable) -> None:
    assert set(written.texts) == set(written.columns)
    section = columns_page.columns_page().partition(f"## {written.file}\n")[2].partition("\n## ")[0]
    assert [name for cell in cells(section, "column") for name in codes(cell)] == list(written.columns)


def test_every_table_that_is_written_is_in_the_reference() -> None:
    described = {written.file.split()[0] for written in columns_page.written_tables()} | {"check.csv"}
    written = set()
    for path, text in SOURCES.items():
        if re.search(r"\b(write_table|write_results|write_attention|write_evidence|DictWriter|FILE|CSV) ?[(=,]", text):
            written |= set(re.findall(r"\"(\w+\.csv)\"", text))
        if not path.startswith(("batch/images", "files.py")):
            assert "csv.writer(" not in text, f"{path} writes a table that this test does not know"
    assert written == described


def test_every_public_name_is_in_one_group() -> None:
    listed = [name for names in python_page.GROUPS.values() for name in names]
    assert len(listed) == len(set(listed))
    assert {*listed, *python_page.NOT_LISTED} == set(napari_segcam.__all__)
    directives = re.findall(r"^::: (\S+)$", python_page.python_page(), re.M)
    assert directives == [python_page.path_of(name) for name in listed]
    anchors = re.findall(r"\{ #(\w+) \}", python_page.python_page())
    assert anchors == listed, "links to a name use its short form"


def test_type_checkers_see_the_names_that_are_loaded_lazily() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    imported = {
        alias.asname: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }
    assert imported == {name: python_page.path_of(name) for name in napari_segcam._ROOMS}
