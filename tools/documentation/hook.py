"""What the site shows besides the pages in ``docs``: those that are made from the code. Called by mkdocs."""

from __future__ import annotations

from pathlib import Path

from generated_pages import generated_pages
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from notebook_page import notebook_page


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, and each notebook as a page."""
    for path, text in generated_pages().items():
        files.append(File.generated(config, path, content=text))
    for notebook in sorted(Path(config.docs_dir).glob("*.ipynb")):
        page, pictures = notebook_page(notebook)
        files.append(File.generated(config, f"{notebook.stem}.md", content=page))
        for name, content in pictures.items():
            files.append(File.generated(config, name, content=content))
    return files
