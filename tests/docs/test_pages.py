"""What the pages say exists: the words of the window, links, anchors, pictures, commands, options, names and extras."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

import commands_in_text
import pages
import pytest
import window_texts
import yaml

import napari_segcam

ROOT = pages.ROOT
REPOSITORY = "https://github.com/napari-segcam/napari-segcam"
RAW = "https://raw.githubusercontent.com/napari-segcam/napari-segcam"
SITE = "https://napari-segcam.github.io/napari-segcam"
WRITTEN = pages.written_pages()
FOR_READERS = [path for path in WRITTEN if path == "README.md" or path.startswith("docs/")]
OF_OTHER_PROGRAMS = frozenset(
    {"--prefix", "--user", "--upgrade", "--pre", "--no-deps", "--info", "--gpus", "--rm"}
    | {"--python", "--compile-bytecode", "--recipe", "--channel", "--only"}
)

BEGINNINGS_OF_OTHERS = ("pip ", "python ", "apt", "docker ", "conda ", "tools/", "ARGS=", "make ", "pytest ", "uv ")


def report(problems: list[str]) -> None:
    """Fail with one problem on each line."""
    assert not problems, "\n" + "\n".join(problems)


@pytest.mark.slow
@pytest.mark.parametrize("path", FOR_READERS)
def test_italics_are_words_of_the_window(path: str) -> None:
    report(
        [
            f"{path}:{line}: *{phrase}* is not in the window; emphasis is **bold**"
            for phrase, line in WRITTEN[path].italics()
            if not window_texts.is_in_window(phrase)
        ]
    )


@pytest.mark.parametrize("phrase", ["Check this map", "Save card …", "NAME correction", "Open Sample ▸ Fibroid sweep"])
def test_words_of_the_window_are_recognized(phrase: str) -> None:
    assert window_texts.is_in_window(phrase.replace("Fibroid sweep", "Fibroid sweep (phantom) (SegCAM)"))
    assert not window_texts.is_in_window(phrase.replace("a", "x").replace("on", "x"))


@pytest.mark.parametrize("path", list(WRITTEN))
def test_a_page_has_one_title_and_no_heading_twice(path: str) -> None:
    headings = WRITTEN[path].headings()
    assert [level for level, _ in headings].count(1) == 1, "a page has one title"
    assert headings[0][0] == 1, "the title comes first"
    assert all(after <= before + 1 for (before, _), (after, _) in pairwise(headings))
    report([f"{path}: {text!r} twice" for text, count in Counter(text for _, text in headings).items() if count > 1])


@pytest.mark.parametrize("path", list(WRITTEN))
def test_links_lead_somewhere(path: str) -> None:
    wrong = ((link, line, wrong_link(path, link)) for link, line in WRITTEN[path].links())
    report([f"{path}:{line}: {link}: {why}" for link, line, why in wrong if why])


def wrong_link(path: str, link: str) -> str:
    """Return why a link of a page leads nowhere; empty if it leads somewhere, or to another server."""
    target, _, anchor = link.partition("#")
    for prefix in (f"{REPOSITORY}/blob/main/", f"{REPOSITORY}/tree/main/", f"{RAW}/main/"):
        if target.startswith(prefix):
            return wrong_target(target.removeprefix(prefix), anchor)
    if target.startswith(SITE):
        page = target.removeprefix(SITE).strip("/") or "index.html"
        if not page.endswith(".html"):
            return "pages of the site end in .html"
        return wrong_target(f"docs/{page.removesuffix('.html')}.md", anchor)
    if re.match(r"[a-z]+:", target):
        return "" if target.startswith(("https://", "mailto:")) else "use https"
    if path == "README.md":
        return "links of the README are absolute, as the hub shows it elsewhere"
    parent = PurePosixPath(path).parent
    return wrong_target(resolved(parent / target) if target else path, anchor)


def resolved(path: PurePosixPath) -> str:
    """Return a path without ``..``."""
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def wrong_target(path: str, anchor: str) -> str:
    """Return why a file of the repository, or a page of the site, is not there, or has no such anchor."""
    page = pages.pages().get(path)
    if page is None:
        return "" if (ROOT / path).exists() and not anchor else "no such file"
    return "" if not anchor or anchor in page.anchors() else f"no such heading on the page: {sorted(page.anchors())}"


def test_pictures_exist_have_words_and_are_used() -> None:
    problems, used = [], set()
    for path in WRITTEN:
        for source, words, line in WRITTEN[path].pictures():
            if not words:
                problems.append(f"{path}:{line}: {source} has no words for those who do not see it")
            used.add(PurePosixPath(source).name)
    there = {file.name for file in (ROOT / "docs" / "images").iterdir() if file.suffix != ".md"}
    report([*problems, *(f"docs/images/{name} is on no page" for name in sorted(there - used))])


@pytest.mark.parametrize("path", list(WRITTEN))
def test_commands_on_a_page_exist(path: str) -> None:
    problems = []
    for block in WRITTEN[path].blocks():
        if block.language in ("sh", "bash", "console"):
            problems += [f"{path}:{block.line}: {why}" for why in commands_in_text.wrong_commands(block.text)]
    for code, line in WRITTEN[path].codes():
        if code.startswith(("napari-segcam ", "make ", "python ")):
            problems += [f"{path}:{line}: {why}" for why in commands_in_text.wrong_commands(code)]
        known = commands_in_text.all_options() | OF_OTHER_PROGRAMS
        for option in re.findall(r"(?<![\w-])--[a-z][\w-]*", code):
            if option not in known and not code.startswith(BEGINNINGS_OF_OTHERS):
                problems.append(f"{path}:{line}: {option}: no command has this option")
    report(problems)


@pytest.mark.parametrize("path", FOR_READERS)
def test_extras_and_settings_on_a_page_exist(path: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = set(project["optional-dependencies"])
    text = WRITTEN[path].text
    named = set(re.findall(r"`\[([a-z,-]+)\]`", text)) | set(re.findall(r"napari-segcam\[([a-z,-]+)\]", text))
    report([f"{path}: [{name}] is no extra" for names in named for name in names.split(",") if name not in extras])


@pytest.mark.parametrize("path", list(WRITTEN))
def test_python_on_a_page_compiles_and_names_what_exists(path: str) -> None:
    problems = []
    for block in WRITTEN[path].blocks():
        assert block.language, f"{path}:{block.line}: a block of code names its language; for plain text it is text"
        if block.language != "python":
            continue
        tree = ast.parse(block.text)
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "sc":
                problems += [] if node.attr in napari_segcam.__all__ else [f"{path}:{block.line}: sc.{node.attr}"]
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("napari_segcam"):
                problems += [f"{path}:{block.line}: {name}" for name in missing_names(node)]
    for code, line in WRITTEN[path].codes():
        for name in re.findall(r"\bsc\.(\w+)", code):
            problems += [] if name in napari_segcam.__all__ else [f"{path}:{line}: sc.{name}"]
    report(problems)


def missing_names(node: ast.ImportFrom) -> list[str]:
    """Return what an import asks for that its file does not define."""
    place = ROOT.joinpath(*(node.module or "").split("."))
    file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    if not file.is_file():
        return [node.module or ""]
    text = file.read_text(encoding="utf-8")
    return [
        f"{node.module}.{alias.name}" for alias in node.names if not re.search(rf"\b{re.escape(alias.name)}\b", text)
    ]


def test_every_page_has_its_place_in_the_site() -> None:
    class Loader(yaml.SafeLoader):
        """Reads the file without what mkdocs adds to YAML."""

    Loader.add_multi_constructor("!", lambda *_: None)
    nav = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader)["nav"]
    listed = Counter(entries(nav))
    there = {path.removeprefix("docs/") for path in pages.pages() if path.startswith("docs/")}
    there -= {path for path in there if path.startswith("images/")}
    assert not [page for page, count in listed.items() if count > 1]
    assert set(listed) == there


def entries(nav: Any) -> list[str]:
    """Return the pages in a part of the navigation."""
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    return [page for part in parts for page in entries(part)]


def test_nothing_in_the_docs_folder_is_forgotten() -> None:
    known = {".md", ".ipynb", ".png", ".gif", ".webp", ".jpg", ".svg", ".css", ".js"}
    assert {path.suffix for path in Path(ROOT / "docs").rglob("*") if path.is_file()} <= known
