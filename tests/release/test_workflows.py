"""The workflows run on every supported system and Python, and only code that is pinned."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))


def workflow(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_actions_are_pinned_to_a_commit_and_name_its_version(path: Path) -> None:
    """A tag can be moved to other code; Dependabot raises the commit and the version beside it."""
    uses = re.findall(r"uses: (.+)", path.read_text(encoding="utf-8"))
    assert uses
    loose = [text for text in uses if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}  # v\d+\.\d+(\.\d+)?", text)]
    assert loose == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_jobs_get_no_rights_that_they_do_not_need(path: Path) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert content["permissions"] in ({"contents": "read"}, {})
    for job in content["jobs"].values():
        for step in job["steps"]:
            if "actions/checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False
    assert "secrets." not in path.read_text(encoding="utf-8")


def test_tests_run_on_every_system_and_python() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pythons = [match[1] for text in project["classifiers"] if (match := re.search(r":: (3\.\d+)$", text))]
    matrix = workflow("ci")["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["python"] == pythons
    assert [name.partition("-")[0] for name in matrix["os"]] == ["ubuntu", "windows", "macos"]
    (released,) = [
        step["with"]["python-version"]
        for step in workflow("release")["jobs"]["check"]["steps"]
        if "with" in step and "python-version" in step["with"]
    ]
    assert sorted(released.split()) == pythons


def test_every_environment_of_ci_is_cached() -> None:
    for name, job in workflow("ci")["jobs"].items():
        for step in job["steps"]:
            if "actions/setup-python" in step.get("uses", ""):
                assert step["with"]["cache"] == "pip", name


def test_there_is_a_job_for_each_thing_that_can_break() -> None:
    jobs = set(workflow("ci")["jobs"])
    assert jobs >= {"lint", "test", "coverage", "napari-pre-release", "lowest-versions", "wheel", "conda"}
    assert "schedule" in workflow("ci")[True]  # YAML reads the key `on` as true


def test_a_release_is_published_after_its_rehearsal_with_attestations() -> None:
    jobs = workflow("release")["jobs"]
    assert any("release/check.py --release" in step.get("run", "") for step in jobs["check"]["steps"])
    assert jobs["publish"]["needs"] == "check"
    (publish,) = [step for step in jobs["publish"]["steps"] if "pypi-publish" in step["uses"]]
    assert publish["with"]["attestations"] is True
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
