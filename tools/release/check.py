"""Rehearse a release: `make release-check`. See `python tools/release/check.py --help`."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from archives import check_source_archive, check_wheel_contents
from environment import try_wheel
from pythons import interpreters, supported
from source import Finding, check_source, version_of

ROOT = Path(__file__).parents[2]
DESCRIPTION = """\
Rehearse a release. Checks changelog, version, citation, tag and tree, builds both archives, checks them, and installs
the wheel with [all] in a new environment of each supported Python on this machine, where it opens the sample and waits
for the first heatmap; the last environment has napari's newest pre-release. Says in a table what was found.
Before the release, a missing date and tag are "not yet", and a Python that is not here is "missing"; with --release
both are failures. PYTHONS="PROGRAM …" in the environment names interpreters that are not on the path."""


def main() -> int:
    parser = argparse.ArgumentParser(description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", action="store_true", help="this is the release: nothing may be left to do")
    parser.add_argument("--only", nargs="*", metavar="3.N", help="install for these versions of Python alone, or none")
    parser.add_argument("--no-pre-release", action="store_true", help="leave out napari's pre-release")
    parser.add_argument("--out", type=Path, help="keep both archives in this folder")
    arguments = parser.parse_args()

    findings = []
    for finding in _findings(arguments):
        findings.append(finding)
        print(f"{finding.state:8} {finding.what}: {finding.note}", flush=True)
    print("\n" + table(findings))
    failed = [finding for finding in findings if finding.state == "FAILED"]
    if arguments.release:
        failed += [finding for finding in findings if finding.state in ("missing", "not yet")]
    print("\n" + (f"{len(failed)} of {len(findings)} failed." if failed else "Nothing failed."))
    return bool(failed)


def table(findings: list[Finding]) -> str:
    """Return the findings in columns."""
    width = max(len(finding.what) for finding in findings)
    return "\n".join(f"{finding.what:{width}}  {finding.state:8}  {finding.note}" for finding in findings)


def _findings(arguments: argparse.Namespace) -> Iterator[Finding]:
    version = version_of(ROOT)
    yield Finding("version", "ok", version)
    yield from check_source(ROOT, is_release=arguments.release)
    with tempfile.TemporaryDirectory(prefix="napari-segcam-dist-") as folder:
        dist = arguments.out or Path(folder)
        ran = subprocess.run([sys.executable, "-m", "build", "--outdir", str(dist), str(ROOT)], check=False)
        wheel, source = (dist / f"napari_segcam-{version}{end}" for end in ("-py3-none-any.whl", ".tar.gz"))
        if ran.returncode or not wheel.is_file() or not source.is_file():
            yield Finding("build", "FAILED", "see its messages above")
            return
        yield Finding("build", "ok", f"{wheel.name}, {source.name}")
        twine = subprocess.run(
            [sys.executable, "-m", "twine", "check", "--strict", str(wheel), str(source)], check=False
        )
        yield Finding("twine", "FAILED" if twine.returncode else "ok", "twine check --strict")
        yield check_wheel_contents(wheel, ROOT, version)
        yield check_source_archive(source, version)
        yield from _environments(arguments, wheel)


def _environments(arguments: argparse.Namespace, wheel: Path) -> Iterator[Finding]:
    wanted = supported(ROOT) if arguments.only is None else arguments.only
    here = interpreters(wanted)
    for version in wanted:
        if version in here:
            yield try_wheel(wheel, ROOT, here[version], f"Python {version}")
        else:
            yield Finding(f"Python {version}", "missing", "no interpreter here; PYTHONS=PATH names one")
    if here and not arguments.no_pre_release:
        # This admits pre-releases of napari alone; with >=0.9.0a0, uv takes the last stable version.
        yield try_wheel(wheel, ROOT, here[list(here)[-1]], "napari's pre-release", ["napari[pyqt6]>=0.10.0a0"])


if __name__ == "__main__":
    sys.exit(main())
