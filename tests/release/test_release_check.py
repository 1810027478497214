"""The rehearsal of a release finds what would go wrong: in the source, in the archives, and with the interpreters."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tools/release"))

from archives import SAMPLE, check_wheel_contents  # noqa: E402
from check import table  # noqa: E402
from pythons import interpreters, supported  # noqa: E402
from source import check_source, version_of  # noqa: E402


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A committed source of version 1.2.0 that is ready, but for its tag."""
    (tmp_path / "napari_segcam").mkdir()
    (tmp_path / "napari_segcam/version.py").write_text('__version__ = "1.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## [1.2.0] – 2026-11-27\n", encoding="utf-8")
    (tmp_path / "CITATION.cff").write_text("version: 1.2.0\n")
    (tmp_path / "conda").mkdir()
    (tmp_path / "conda/recipe.yaml").write_text('context:\n  version: "1.2.0"\n')
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "Begin")
    return tmp_path


def states(root: Path, *, is_release: bool = False) -> dict[str, str]:
    return {finding.what: finding.state for finding in check_source(root, is_release=is_release)}


def test_a_tagged_version_is_ready(source: Path) -> None:
    assert states(source) == {
        "changelog": "ok",
        "citation": "ok",
        "conda recipe": "ok",
        "tag": "not yet",
        "tree": "ok",
    }
    assert states(source, is_release=True)["tag"] == "FAILED"
    git(source, "tag", "v1.2.0")
    assert set(states(source, is_release=True).values()) == {"ok"}


def test_a_tag_of_another_version_fails(source: Path) -> None:
    git(source, "tag", "v1.3.0")
    assert states(source)["tag"] == "FAILED"


def test_a_version_that_was_released_before_fails(source: Path) -> None:
    git(source, "tag", "v1.2.0")
    git(source, "commit", "-q", "--allow-empty", "-m", "Go on")
    assert states(source)["tag"] == "FAILED"


@pytest.mark.parametrize(
    ("heading", "before", "at_release"),
    [
        ("[Unreleased] – 1.2.0", "not yet", "FAILED"),
        ("[Unreleased] – 1.3.0", "FAILED", "FAILED"),
        ("[1.2.0]", "FAILED", "FAILED"),
        ("[1.2.0] – soon", "FAILED", "FAILED"),
    ],
)
def test_changelog_needs_the_version_and_its_date(source: Path, heading: str, before: str, at_release: str) -> None:
    (source / "CHANGELOG.md").write_text(f"# Changelog\n\n## {heading}\n", encoding="utf-8")
    assert states(source)["changelog"] == before
    assert states(source, is_release=True)["changelog"] == at_release


def test_uncommitted_files_and_an_old_citation_fail(source: Path) -> None:
    (source / "CITATION.cff").write_text("version: 1.1.0\n")
    found = states(source)
    assert found["citation"] == "FAILED"
    assert found["tree"] == "FAILED"


def test_wheel_holds_the_package_the_sample_and_the_license_alone(source: Path) -> None:
    wheel = source / "napari_segcam-1.2.0-py3-none-any.whl"

    def written(names: list[str], version: str = "1.2.0") -> str:
        with zipfile.ZipFile(wheel, "w") as archive:
            for name in names:
                archive.writestr(name, f"Name: napari-segcam\nVersion: {version}\n")
        finding = check_wheel_contents(wheel, source, "1.2.0")
        return "" if finding.state == "ok" else finding.note

    info = "napari_segcam-1.2.0.dist-info"
    good = ["napari_segcam/version.py", SAMPLE, *(f"{info}/{name}" for name in ("METADATA", "entry_points.txt"))]
    good.append(f"{info}/licenses/LICENSE")
    assert written(good) == ""
    assert written(good[1:]) == "lacks napari_segcam/version.py"
    assert written([*good, "tests/test_cli.py"]) == "should not hold tests/test_cli.py"
    assert written(good[:-1]) == "lacks licenses/LICENSE"
    assert "holds data: napari_segcam/patient.dcm" in written([*good, "napari_segcam/patient.dcm"])
    assert written(good, version="1.1.0") == "is not of version 1.2.0"
    assert f"lacks {SAMPLE}" in written([name for name in good if name != SAMPLE])


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell script")
def test_interpreters_are_those_that_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of that name that does not run, as pyenv's are where no version is chosen, is not one."""
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    broken = tmp_path / f"python{here}"
    broken.write_text("#!/bin/sh\nexit 127\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=None)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.delenv("PYTHONS", raising=False)
    assert interpreters([here]) == {}
    monkeypatch.setenv("PYTHONS", f"{tmp_path}/none {sys.executable}")
    assert interpreters([here, "3.99"]) == {here: Path(sys.executable)}


def test_supported_versions_are_those_of_the_classifiers() -> None:
    assert supported(ROOT) == ["3.11", "3.12", "3.13", "3.14"]
    assert version_of(ROOT).count(".") == 2


def test_table_has_a_row_for_each_finding(source: Path) -> None:
    findings = check_source(source, is_release=False)
    rows = table(findings).splitlines()
    assert [row.split()[0] for row in rows] == ["changelog", "citation", "conda", "tag", "tree"]
    assert len({row.index(finding.note) for row, finding in zip(rows, findings, strict=True)}) == 1
