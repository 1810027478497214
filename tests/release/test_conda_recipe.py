"""The conda recipe asks for what ``pyproject.toml`` asks for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from napari_segcam.version import __version__

ROOT = Path(__file__).parents[2]

CONDA_NAMES = {"dask": "dask-core", "napari": "napari-base", "torch": "pytorch"}
"""The packages that conda-forge names otherwise; its plain ``napari`` brings a Qt binding."""


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def recipe() -> dict[str, Any]:
    text = (ROOT / "conda/recipe.yaml").read_text(encoding="utf-8")
    context = yaml.safe_load(text)["context"]
    filled = re.sub(r"\$\{\{ (\w+) \}\}", lambda match: context.get(match[1], match[0]), text)
    return yaml.safe_load(filled)


def as_conda(requirements: list[str]) -> set[str]:
    """Return requirements as conda writes them: ``pytorch >=2.10``."""
    found = [Requirement(text) for text in requirements]
    return {f"{CONDA_NAMES.get(one.name, one.name)} {one.specifier}" for one in found}


def test_run_requirements_are_the_dependencies(project: dict[str, Any], recipe: dict[str, Any]) -> None:
    needed = as_conda(project["project"]["dependencies"])
    python = f"python {project['project']['requires-python']}"
    listed = recipe["requirements"]["run"]
    assert len(listed) == len(set(listed))
    assert set(listed) == {python, *needed}


def test_constraints_are_bounds_of_extras(project: dict[str, Any], recipe: dict[str, Any]) -> None:
    extras = project["project"]["optional-dependencies"]
    bounds = as_conda([text for name, texts in extras.items() if name not in ("all", "dev", "test") for text in texts])
    assert set(recipe["requirements"]["run_constraints"]) <= bounds


def test_host_builds_as_pyproject_says(project: dict[str, Any], recipe: dict[str, Any]) -> None:
    assert set(recipe["requirements"]["host"]) == {
        "python 3.11.*",
        "pip",
        *as_conda(project["build-system"]["requires"]),
    }


def test_names_version_and_command_agree(project: dict[str, Any], recipe: dict[str, Any]) -> None:
    assert recipe["package"] == {"name": project["project"]["name"], "version": __version__}
    (script,) = [f"{name} = {target}" for name, target in project["project"]["scripts"].items()]
    assert recipe["build"]["python"]["entry_points"] == [script]
    assert recipe["about"]["license"] == project["project"]["license"]
    assert recipe["about"]["homepage"] == project["project"]["urls"]["Homepage"]
    assert (ROOT / recipe["about"]["license_file"]).is_file()


def test_tested_files_are_in_the_package(recipe: dict[str, Any]) -> None:
    (contents,) = [test["package_contents"] for test in recipe["tests"] if "package_contents" in test]
    assert contents["site_packages"]
    for name in contents["site_packages"]:
        assert (ROOT / name).is_file() or (ROOT / "sample_data" / Path(name).name).is_file()
