"""A stored notebook as a page: its text, its code and the results that it was stored with."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_PICTURES = {"image/png": "png", "image/jpeg": "jpg"}


def notebook_page(notebook: Path) -> tuple[str, dict[str, bytes]]:
    """Return the page as Markdown, and its pictures by file name.

    Args:
        notebook: that is read; it is not run.
    """
    content = json.loads(notebook.read_text(encoding="utf-8"))
    pictures: dict[str, bytes] = {}
    blocks: list[str] = []
    for cell in content["cells"]:
        source = "".join(cell["source"]).strip()
        if cell["cell_type"] == "markdown":
            blocks.append(source)
            continue
        blocks.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            blocks.extend(_output_blocks(output, notebook.stem, pictures))
    note = f"This page is a notebook, with the results that it was stored with: [{notebook.name}]({notebook.name})."
    title, _, rest = "\n\n".join(blocks).partition("\n")
    return f"{title}\n\n{note}\n{rest}\n", pictures


def _output_blocks(output: Mapping[str, Any], stem: str, pictures: dict[str, bytes]) -> Iterator[str]:
    """Yield an output as Markdown; its picture is added to ``pictures``."""
    data = output.get("data", {})
    for kind, suffix in _PICTURES.items():
        if kind in data:
            name = f"{stem}_{len(pictures) + 1}.{suffix}"
            pictures[name] = base64.b64decode("".join(data[kind]))
            yield f"![Result of the code above]({name})"
            return
    text = "".join(output.get("text", data.get("text/plain", ""))).rstrip()
    if text and output.get("name") != "stderr":
        yield f"```text\n{text}\n```"
