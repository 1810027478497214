"""The stored notebook was run, says nothing about the machine it ran on, and runs again anywhere."""

from __future__ import annotations

import os
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "docs" / "explain.ipynb"

# A path from the root, of a Unix or a Windows machine, but not a web address.
ABSOLUTE_PATH = re.compile(r"(?<![\w:/.])/(?:home|Users|root|tmp|work|usr|var|opt|mnt|private|srv)\b|\b[A-Z]:\\")


def stored_notebook() -> nbformat.NotebookNode:
    """Read the notebook of the repository; each caller gets its own copy, as running a notebook changes it."""
    return nbformat.read(NOTEBOOK, as_version=4)


def outputs_of(notebook: nbformat.NotebookNode) -> list[list[tuple[str, ...]]]:
    """Return the outputs of each code cell: printed text, or the kinds of data shown; warnings are left out."""
    return [
        list(
            dict.fromkeys(
                (output.name,) if output.output_type == "stream" else tuple(sorted(output.get("data", {})))
                for output in cell.outputs
                if output.get("name") != "stderr"
            )
        )
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


@pytest.mark.slow
def test_it_runs_anywhere_and_shows_what_is_stored(tmp_path: Path) -> None:
    fresh = stored_notebook()
    for cell in fresh.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    client = NotebookClient(fresh, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}})
    client.execute(env=os.environ | threads)
    assert outputs_of(fresh) == outputs_of(stored_notebook())
    assert not list(tmp_path.iterdir()), "it left files behind"


def test_every_cell_was_run_in_order() -> None:
    code = [cell for cell in stored_notebook().cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert all(cell.outputs for cell in code)
    assert sum("image/jpeg" in output.get("data", {}) for cell in code for output in cell.outputs) >= 2


def test_it_is_small_and_says_nothing_about_a_machine() -> None:
    assert NOTEBOOK.stat().st_size < 400_000
    for cell in stored_notebook().cells:
        texts = [cell.source]
        for output in cell.get("outputs", []):
            texts.append(output.get("text", ""))
            texts += [str(data) for kind, data in output.get("data", {}).items() if not kind.startswith("image/")]
        for text in texts:
            assert not ABSOLUTE_PATH.search(text), text


@pytest.mark.parametrize("text", ["/home/me/x.png", "in /tmp/abc", "C:\\Users\\x", "'/srv/data/a.py'"])
def test_absolute_paths_are_recognized(text: str) -> None:
    assert ABSOLUTE_PATH.search(text)
    assert not ABSOLUTE_PATH.search("in / out, https://napari.org/home, runs/home")
