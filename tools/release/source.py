"""Is the source ready: version, changelog, citation, tag and tree agree."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Finding:
    """One row of the table.

    Attributes:
        what: was checked.
        state: ``ok``, ``FAILED``, ``not yet`` (to be done before the release), or ``missing`` (cannot be tried here).
        note: what was found.
    """

    what: str
    state: str
    note: str


def version_of(root: Path) -> str:
    """Return the version that ``version.py`` states.

    Raises:
        ValueError: if it states none.
    """
    match = re.search(
        r'^__version__ = "([^"]+)"$', (root / "napari_segcam/version.py").read_text("utf-8"), re.MULTILINE
    )
    if match is None:
        raise ValueError('napari_segcam/version.py has no line __version__ = "…".')
    return match[1]


def check_source(root: Path, *, is_release: bool) -> list[Finding]:
    """Check what a tag would publish.

    Args:
        root: of the checkout.
        is_release: whether this is the release itself; before it, what is still to be done is only named.
    """
    version = version_of(root)
    return [
        _changelog((root / "CHANGELOG.md").read_text("utf-8"), version, is_release=is_release),
        _stated("citation", root / "CITATION.cff", r"^version: (\S+)$", version),
        _stated("conda recipe", root / "conda/recipe.yaml", r'^  version: "(\S+)"$', version),
        _tag(root, version, is_release=is_release),
        _tree(root),
    ]


def _changelog(text: str, version: str, *, is_release: bool) -> Finding:
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    dated = [heading for heading in headings if re.fullmatch(rf"\[{re.escape(version)}\] – \d{{4}}-\d\d-\d\d", heading)]
    if dated:
        return Finding("changelog", "ok", dated[0])
    planned = f"[Unreleased] – {version}"
    if planned in headings:
        return Finding(
            "changelog", "FAILED" if is_release else "not yet", f"{planned} needs a date: [{version}] – YYYY-MM-DD"
        )
    return Finding("changelog", "FAILED", f"has no section for {version}")


def _stated(what: str, path: Path, pattern: str, version: str) -> Finding:
    match = re.search(pattern, path.read_text("utf-8"), re.MULTILINE)
    found = match[1] if match else "none"
    return Finding(what, "ok" if found == version else "FAILED", f"{path.name} is of version {found}")


def _tag(root: Path, version: str, *, is_release: bool) -> Finding:
    wanted = f"v{version}"
    here = _git(root, "tag", "--points-at", "HEAD").split()
    if wanted in here:
        return Finding("tag", "ok", wanted)
    if any(re.match(r"v\d", tag) for tag in here):
        return Finding("tag", "FAILED", f"{' '.join(here)} on this commit, but the version is {version}")
    if wanted in _git(root, "tag", "--list", wanted).split():
        return Finding("tag", "FAILED", f"{wanted} is on another commit: raise the version")
    return Finding("tag", "FAILED" if is_release else "not yet", f"{wanted} is not on this commit")


def _tree(root: Path) -> Finding:
    changed = _git(root, "status", "--porcelain").splitlines()
    if changed:
        return Finding(
            "tree", "FAILED", f"{len(changed)} files are not committed, {changed[0].split(maxsplit=1)[1]} first"
        )
    return Finding("tree", "ok", f"clean at {_git(root, 'rev-parse', '--short', 'HEAD').strip()}")


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True, text=True).stdout
