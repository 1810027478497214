"""The page of the Python interface: every public name, from its docstring."""

from __future__ import annotations

import napari_segcam

GROUPS = {
    "Networks": ("load_network", "Network", "ModelCard", "Ensemble"),
    "Images": ("open_cine", "PacsClient", "find_server"),
    "Explanations": ("Explainer", "Target", "attention", "cross_check"),
    "Evidence": (
        *("measure_evidence", "estimate_evidence", "MEASURES", "doubt", "doubt_map", "Doubt", "DOUBT_MEASURES"),
        *("overlay_effect", "find_graphics", "inpaint", "paste_calipers"),
    ),
    "Functions for napari": ("segment", "explain"),
    "Many images": ("run_batch", "Batch", "ExplainOptions", "compare_checkpoints", "CompareOptions"),
    "Validation": ("validate", "Validation", "measure_robustness", "RobustnessOptions"),
    "Sizes": ("measure_finding", "ellipsoid_volume"),
    "Reviews": ("create_project", "open_project", "review_report", "export_review"),
    "DICOM": (
        *("DicomExport", "DicomOptions", "SourceImages", "read_segmentation", "read_parametric_map"),
        *("deidentify", "DeidentifyOptions"),
    ),
    "Errors": ("SegcamError",),
}
"""The public names by what they are for."""

NOT_LISTED = {"__version__"}

_INTRODUCTION = """\
# Python

```python
import napari_segcam as sc
```

The names below are the public interface: `sc.load_network`, `sc.Explainer`, and so on. Importing the package loads
neither torch nor Qt; each name loads what it needs when it is first used. Arrays have their shapes in the docstrings:
T frames, Y rows, X columns, C classes, `(h, w)` the resolution of a stage. A mistake of the caller raises
`sc.SegcamError`, which says what to do. `sc.__version__` is the version. [Compare methods](../explain.md) shows most
of this on the sample.
"""


def python_page() -> str:
    """Return the page as Markdown, with the places where mkdocstrings puts the docstrings."""
    parts = [_INTRODUCTION]
    for group, names in GROUPS.items():
        parts.append(f"## {group}\n")
        parts += [f"[](){{ #{name} }}\n\n::: {path_of(name)}\n" for name in names]  # links use the short name
    return "\n".join(parts)


def path_of(name: str) -> str:
    """Return where a public name is defined, as a dotted path."""
    return f"napari_segcam.{napari_segcam._ROOMS[name]}.{name}"
