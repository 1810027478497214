"""What the hub, the package index and GitHub show of the package: its metadata, the README and the citation."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from napari_segcam.version import __version__

ROOT = Path(__file__).parents[2]
REPOSITORY = "https://github.com/napari-segcam/napari-segcam"
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
QT_BINDINGS = {"pyqt5", "pyqt6", "pyside2", "pyside6"}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_links_are_those_that_the_hub_shows(project: dict[str, Any]) -> None:
    """The hub takes its link to GitHub from *Homepage* or *Source Code*."""
    urls = project["urls"]
    assert list(urls) == ["Homepage", "Documentation", "Source Code", "Bug Tracker", "User Support", "Changelog"]
    assert urls["Source Code"] == REPOSITORY
    assert all(url.startswith("https://") for url in urls.values())


def test_napari_finds_the_plugin_and_it_brings_no_qt(project: dict[str, Any]) -> None:
    assert "Framework :: napari" in project["classifiers"]
    assert list(project["entry-points"]["napari.manifest"]) == [project["name"]]
    needed = [Requirement(text) for text in project["dependencies"]]
    assert not any(requirement.name.lower() in QT_BINDINGS for requirement in needed)
    assert not any(requirement.extras for requirement in needed if requirement.name == "napari")  # they bring Qt


def test_python_versions_agree(project: dict[str, Any]) -> None:
    named = [text.rsplit(" ", 1)[1] for text in project["classifiers"] if re.search(r"Python :: 3\.\d", text)]
    assert named == PYTHONS
    supported = SpecifierSet(project["requires-python"])
    assert [minor for minor in range(9, 15) if Version(f"3.{minor}") in supported] == [11, 12, 13, 14]


def test_readme_has_no_links_that_only_work_on_github() -> None:
    """The hub and the package index show the README without the repository around it."""
    text = re.sub(r"```.*?```", "", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"(?:src|href)=\"([^\"]+)\"", text)
    assert targets
    bad = [
        target
        for target in targets
        if not target.startswith("https://") and not (target.startswith("#") and target[1:] in anchors)
    ]
    assert bad == []


def test_links_from_the_readme_into_the_repository_name_files_that_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    raw = REPOSITORY.replace("github.com", "raw.githubusercontent.com")
    paths = re.findall(rf"(?:{REPOSITORY}/blob/main|{raw}/main)/([^)#\s\"]+)", text)
    assert paths
    assert [path for path in paths if not (ROOT / path).is_file()] == []


def test_citation_is_of_this_version_and_names_the_methods() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == __version__
    assert citation["license"] == "BSD-3-Clause"
    assert citation["repository-code"] == REPOSITORY
    assert {"message", "title", "authors"} <= set(citation)  # GitHub shows nothing without them
    titles = [reference["title"] for reference in citation["references"]]
    for name in ("Grad-CAM", "Semantic Segmentation via Gradient-Weighted", "UNet++", "Segmentation Models", "napari"):
        assert any(name in title for title in titles), name
    for reference in citation["references"]:
        assert {"type", "title", "authors", "year"} <= set(reference)
        assert re.fullmatch(r"10\.\d{4,}/\S+", reference.get("doi", "10.0000/none"))
        assert "doi" in reference or "repository-code" in reference


def test_all_brings_what_dicom_needs_where_it_has_wheels(project: dict[str, Any]) -> None:
    """``all`` repeats the requirement with a marker, which hatchling drops from ``napari-segcam[dicom]``."""
    extras = project["optional-dependencies"]
    (needed,) = [Requirement(text) for text in extras["dicom"]]
    (repeated,) = [found for text in extras["all"] if (found := Requirement(text)).name == needed.name]
    assert repeated.specifier == needed.specifier
    assert repeated.marker is not None
    assert [version for version in PYTHONS if repeated.marker.evaluate({"python_version": version})] == PYTHONS[:-1]
