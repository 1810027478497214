"""`tools/make-env` installs again when what the environment was made from has changed, or the checkout moved."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
INPUTS = ("pyproject.toml", "constraints.txt", "napari_segcam/version.py", "tools/make-env")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell script")


def checkout_at(place: Path) -> Path:
    for name in INPUTS:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / name, place / name)
    return place


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An environment whose Python only notes that it was started."""
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\necho "$@" >>"{tmp_path}/calls"\n', encoding="utf-8")
    python.chmod(0o755)
    return tmp_path / "venv"


def installs(checkout: Path, environment: Path) -> bool:
    """Whether a run of the script calls pip."""
    calls = environment.parent / "calls"
    calls.unlink(missing_ok=True)
    subprocess.run([checkout / "tools" / "make-env", environment], check=True, capture_output=True)
    return calls.exists() and "pip install" in calls.read_text(encoding="utf-8")


def test_nothing_is_installed_twice(tmp_path: Path, environment: Path) -> None:
    checkout = checkout_at(tmp_path / "one")
    assert installs(checkout, environment)
    assert not installs(checkout, environment)


def test_another_checkout_is_installed(tmp_path: Path, environment: Path) -> None:
    assert installs(checkout_at(tmp_path / "one"), environment)
    assert installs(checkout_at(tmp_path / "two"), environment)


@pytest.mark.parametrize("name", INPUTS[:3])
def test_a_changed_input_is_installed(tmp_path: Path, environment: Path, name: str) -> None:
    checkout = checkout_at(tmp_path / "one")
    installs(checkout, environment)
    with (checkout / name).open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert installs(checkout, environment)


@pytest.mark.parametrize("name", INPUTS[:3])
def test_a_missing_input_ends_the_script(tmp_path: Path, environment: Path, name: str) -> None:
    checkout = checkout_at(tmp_path / "one")
    (checkout / name).unlink()
    with pytest.raises(subprocess.CalledProcessError):
        installs(checkout, environment)
