"""The package as a whole: what importing it loads, which rooms import which, and what it exports."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import napari_segcam

PACKAGE = Path(napari_segcam.__file__).parent

WINDOW_SYSTEMS = {"napari", "qtpy", "PyQt5", "PyQt6", "PySide2", "PySide6"}
GROUND = [
    "budget",
    "csv_list",
    "deprecated",
    "errors",
    "files",
    "heat_colormaps",
    "interrupts",
    "logs",
    "number_format",
    "preferences",
    "remedies",
    "statistics",
    "tuning",
    "optional",
    "version",
]
CORE = [
    "network",
    "imaging",
    "explanation",
    "evidence",
    "reporting",
    "dicom_objects",
    "batch",
    "comparing",
    "review",
    "measuring",
    "mask_metrics",
    "demo",
    "deidentifying",
    "problem",
    "validating",
    "perturbing",
    "robustness",
]

# The rooms that each room may import, besides itself and the ground rooms.
MAY_IMPORT = {
    "budget": ["errors"],
    "csv_list": ["errors", "files"],
    "deprecated": [],
    "errors": [],
    "files": [],
    "interrupts": [],
    "logs": [],
    "heat_colormaps": [],
    "number_format": [],
    "optional": ["errors"],
    "preferences": ["heat_colormaps"],
    "remedies": [],
    "statistics": [],
    "tuning": [],
    "version": [],
    "demo": [],
    "measuring": [],
    "mask_metrics": ["measuring"],
    "network": ["demo"],
    "imaging": ["network.model_card"],
    "deidentifying": ["imaging"],
    "explanation": ["network", "imaging"],
    "evidence": ["network", "imaging", "explanation", "mask_metrics"],
    "reporting": ["network", "imaging", "explanation", "evidence", "measuring", "mask_metrics"],
    "dicom_objects": ["network", "imaging", "explanation", "evidence", "reporting", "measuring"],
    "batch": [
        "network",
        "imaging",
        "explanation",
        "evidence",
        "reporting",
        "dicom_objects",
        "measuring",
        "mask_metrics",
    ],
    "review": [
        "network",
        "imaging",
        "explanation",
        "evidence",
        "reporting",
        "dicom_objects",
        "batch",
        "measuring",
        "mask_metrics",
    ],
    "comparing": [
        "network",
        "imaging",
        "explanation",
        "evidence",
        "reporting",
        "dicom_objects",
        "batch",
        "measuring",
        "mask_metrics",
    ],
    "validating": ["network", "imaging", "evidence", "reporting", "batch", "comparing"],
    "perturbing": ["imaging"],
    "robustness": [
        "network",
        "imaging",
        "perturbing",
        "explanation",
        "evidence",
        "reporting",
        "batch",
        "comparing",
        "mask_metrics",
    ],
    "problem": ["demo", "network", "imaging", "explanation"],
    "viewer": CORE,
    "commands": CORE,
    "cli": [*CORE, "commands", "viewer"],
    "__main__": ["cli"],
}

# The rooms within a room, from the ground up: each imports only from the lines above its own.
# After a change here, run `python tests/docs/rooms_drawing.py`.
FLOORS: dict[str, list[list[str]]] = {
    "network": [
        ["child_names", "device", "settings_text", "resource_check", "whole_network"],
        ["reference_pair"],
        ["files"],
        ["model_card", "graphs", "keras", "onnx"],
        ["checkpoints", "running", "loaded_module"],
        ["families", "output"],
        ["stages", "packages"],
        ["inference", "repeatability", "class_overlap"],
        ["network"],
        ["reference_check", "ensemble"],
        ["loading", "questions"],
        ["source", "resource_check_process"],
    ],
    "imaging": [
        ["compressed_size", "file_kind", "file_part", "plausibility", "value_range", "phantom"],
        ["cine", "geometry"],
        ["preprocessing", "scan", "stacks", "stills", "video"],
        ["dicom", "burned_in"],
        ["image_folder", "dicomweb"],
        ["opening"],
    ],
    "deidentifying": [
        ["options", "refusals", "entries", "pseudonyms"],
        ["header", "kinds", "records", "new_files"],
        ["pixels", "new_names", "dicom_header", "stamps", "log"],
        ["object_pixels", "picture_copy"],
        ["dicom_copy"],
        ["run", "preview"],
    ],
    "explanation": [
        ["registry", "targets", "passes", "slow_methods"],
        ["methods", "attribution", "perturbation", "external", "emptiness", "stage_replay", "region", "disagreement"],
        ["explanation", "stage_maps"],
        ["tiles"],
        ["runner", "frame_replay"],
        ["prediction"],
        ["held_frame", "heatmaps", "estimating", "provenance"],
        ["ensemble"],
        ["explainer"],
        ["crosscheck", "answer_masks"],
    ],
    "mask_metrics": [
        ["overlap", "columns", "probability_bins", "boundary", "surfaces", "detection"],
        ["calibration", "threshold_sweep"],
        ["metrics"],
    ],
    "dicom_objects": [
        ["values", "coded_entry", "spool"],
        ["algorithm", "source_images", "codes", "findings"],
        ["new_object", "lossy_compression"],
        ["segmentation", "report", "parametric_map", "overlay_cine"],
        ["structured_report", "exporting"],
        ["export"],
    ],
    "review": [
        ["readings", "versions", "agreement"],
        ["log"],
        ["project_file", "raters", "frame_verdicts", "reported_verdicts", "hidden", "actions"],
        ["project"],
        ["creating", "predictions"],
        ["report"],
        ["export"],
    ],
    "validating": [
        ["rows", "metrics", "run_images"],
        ["dicom_tags"],
        ["cases"],
        ["figures", "paired"],
        ["summaries", "attributes", "shortcuts", "differences", "methods"],
        ["subgroups", "criteria"],
        ["study"],
        ["validate"],
        ["failures"],
        ["pages"],
        ["publishing"],
        ["further_sections"],
    ],
    "viewer": [
        ["drawing", "responsiveness", "image_choice", "key_help", "mendable_errors"],
        ["napari_internals"],
        ["docking", "docks", "worker", "closed_panels"],
        ["workspace", "dropped_files"],
        ["frames", "mending"],
        ["layers"],
        ["jobs", "functions"],
        ["review"],
        ["pixel_layer", "project", "segmentations"],
        ["second_checkpoint"],
        ["evidence", "click", "doubt", "overlays", "questions", "ensemble", "pacs", "preferences", "activity"],
        ["comparison", "verdicts", "calipers"],
        ["keys"],
        ["sessions"],
        ["widgets"],
        ["first_steps"],
        [
            "strip",
            "checkpoint_reader",
            "project_reader",
            "overlay_reader",
            "preferences_window",
            "problem_window",
            "demo_window",
        ],
        ["reader", "review_window"],
        ["sample"],
    ],
}

# Files that still have to be split, with the most lines that they may have until then.
STILL_LONG: dict[str, int] = {}


def modules_after(statements: str) -> set[str]:
    """Return the full names of the modules that a new interpreter has loaded after running the statements."""
    program = f"{statements}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    return set(json.loads(process.stdout.splitlines()[-1]))


def top_level(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def module_name(path: Path) -> str:
    """Return the dotted name of a source file without the leading `napari_segcam.`, empty for the package itself."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").rstrip(".")


def source_files() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def imported_names(path: Path) -> Iterator[str]:
    """Yield every name that the file imports, also in functions and under TYPE_CHECKING."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_in(name: str, room: str) -> bool:
    return name == room or name.startswith(f"{room}.")


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = top_level(modules_after("import napari_segcam"))
    assert not loaded & (WINDOW_SYSTEMS | {"torch", "segmentation_models_pytorch", "numpy", "pydicom"})


@pytest.mark.slow
def test_the_core_needs_no_window_system() -> None:
    names = [module_name(path) for path in source_files()]
    core = [name for name in names if not is_in(name, "viewer") and not name.endswith("__main__")]
    loaded = modules_after("\n".join(f"import napari_segcam.{name}" for name in core))
    assert {f"napari_segcam.{name}" for name in core} <= loaded
    assert not top_level(loaded) & WINDOW_SYSTEMS


@pytest.mark.parametrize("path", source_files(), ids=module_name)
def test_imports_go_one_way(path: Path) -> None:
    room = module_name(path).partition(".")[0]
    assert room in MAY_IMPORT, f"{room} is a new room: list in MAY_IMPORT what it may import"
    allowed = [room, *GROUND, *MAY_IMPORT[room]]
    for name in imported_names(path):
        package, _, inner = name.partition(".")
        if package == "napari_segcam":
            assert any(is_in(inner, other) for other in allowed), f"{room} may not import {name}"
        elif package in WINDOW_SYSTEMS:
            assert room == "viewer", f"only the viewer may import {package}"


@pytest.mark.parametrize("house", FLOORS)
def test_rooms_import_only_those_below_them(house: str) -> None:
    floor = {room: level for level, rooms in enumerate(FLOORS[house]) for room in rooms}
    for path in sorted((PACKAGE / house).rglob("*.py")):
        _, _, inner = module_name(path).partition(".")
        room = inner.partition(".")[0]
        if not room:
            continue
        assert room in floor, f"{house}.{room} is a new room: put it on a floor in FLOORS"
        for name in imported_names(path):
            if name.startswith(f"napari_segcam.{house}."):
                other = name.split(".")[2]
                assert other == room or floor[other] < floor[room], f"{house}.{inner} may not import {name}"


def imports_among_modules() -> dict[str, set[str]]:
    """Return the modules of the package that each of them imports."""
    names = {module_name(path): path for path in PACKAGE.rglob("*.py")}

    def module_of(name: str) -> str:
        inner = name.removeprefix("napari_segcam").removeprefix(".")
        while inner not in names:
            inner = inner.rpartition(".")[0]
        return inner

    return {
        module: {module_of(name) for name in imported_names(path) if name.partition(".")[0] == "napari_segcam"}
        - {module}
        for module, path in names.items()
    }


@pytest.mark.slow
def test_no_modules_import_each_other_in_a_circle() -> None:
    imports = imports_among_modules()
    assert any(imports.values())
    while free := [module for module, imported in imports.items() if not imported & imports.keys()]:
        for module in free:
            del imports[module]
    assert not imports, f"These modules are in a circle, or import one: {', '.join(sorted(imports))}"


@pytest.mark.parametrize("top", ["napari_segcam", "tests", "benchmarks"])
def test_folders_and_files_stay_small(top: str) -> None:
    root = PACKAGE.parent / top
    if not root.is_dir():
        pytest.skip(f"{top} is not installed")
    folders = [root, *(path for path in root.rglob("*") if path.is_dir())]
    for folder in folders:
        files = list(folder.glob("*.py"))
        assert len(files) <= 20, f"{folder} has {len(files)} files: give it rooms"
    if top == "napari_segcam":
        for path in source_files():
            lines = len(path.read_text(encoding="utf-8").splitlines())
            assert lines <= STILL_LONG.get(module_name(path), 350), (
                f"{path} has {lines} lines: it is more than one idea"
            )


def test_test_files_have_names_of_their_own() -> None:
    """Pytest imports a file outside packages by its name alone, and refuses a second one of that name."""
    files = [path for path in Path(__file__).parent.rglob("test_*.py") if not (path.parent / "__init__.py").exists()]
    counts = Counter(path.name for path in files)
    twice = sorted(str(path) for path in files if counts[path.name] > 1)
    assert not twice, f"Rename one of {', '.join(twice)}"


def test_version_is_the_installed_one() -> None:
    assert importlib.metadata.version("napari-segcam") == napari_segcam.__version__


@pytest.mark.parametrize("name", napari_segcam.__all__)
def test_public_name_resolves(name: str) -> None:
    assert getattr(napari_segcam, name) is not None
    assert name in dir(napari_segcam)


def test_type_checkers_see_the_same_public_names() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    (only_for_types,) = (node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in only_for_types.body if isinstance(node, ast.ImportFrom)]
    declared = {alias.asname for node in imports for alias in node.names}
    assert declared | {"__version__"} == set(napari_segcam.__all__)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = napari_segcam.no_such_name
