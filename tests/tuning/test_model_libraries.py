"""The import of timm and torchvision, with and without torch's compiler."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from napari_segcam.demo import demo_checkpoint
from napari_segcam.tuning.switch import TUNING

IMPORT = "from napari_segcam.tuning.model_libraries import import_model_libraries\nimport_model_libraries()"


def values_in_new_process(statements: str, tuning: str = "on") -> list[object]:
    """Return the list ``values`` after a new interpreter has run the statements."""
    program = f"import sys\nvalues = []\n{statements}\nimport json\nprint(json.dumps(values))"
    environment = {**os.environ, TUNING: tuning}
    process = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env=environment
    )
    assert process.returncode == 0, process.stderr
    values: list[object] = json.loads(process.stdout.splitlines()[-1])
    return values


@pytest.mark.slow
def test_the_compiler_is_not_imported_until_it_is_used() -> None:
    use = """
import torch
values.append("torch._dynamo" in sys.modules)
doubled = torch.compile(lambda x: 2 * x, backend="eager")
values.append(doubled(torch.ones(1)).item())
values.append("torch._dynamo" in sys.modules)
values.append(hasattr(torch._dynamo, "optimize"))
"""
    assert values_in_new_process(IMPORT + use) == [False, 2.0, True, True]


@pytest.mark.slow
def test_a_command_loads_and_runs_a_network_without_the_compiler() -> None:
    command = f"""
sys.argv = ["napari-segcam", "inspect", {str(demo_checkpoint())!r}]
from napari_segcam.cli import main
try:
    main()
except SystemExit as end:
    values.append(end.code)
values += [name for name in ("torch._dynamo", "torch._inductor") if name in sys.modules]
"""
    assert values_in_new_process(command) == [0]


@pytest.mark.slow
def test_with_tuning_off_the_import_is_the_ordinary_one() -> None:
    assert values_in_new_process(f"{IMPORT}\nvalues.append('torch._dynamo' in sys.modules)", "off") == [True]


@pytest.mark.slow
def test_other_code_can_import_the_compiler_meanwhile() -> None:
    meanwhile = """
import torch
from napari_segcam.tuning.model_libraries import without_compiler
with without_compiler():
    from torch._dynamo.utils import counters
    import torch._dynamo
    values.append(type(counters).__name__)
    values.append(hasattr(torch._dynamo, "optimize"))
values.append(hasattr(sys.modules["torch._dynamo"], "optimize"))
"""
    assert values_in_new_process(meanwhile) == ["defaultdict", True, True]


@pytest.mark.slow
def test_a_function_that_is_not_to_be_compiled_runs_uncompiled_afterwards() -> None:
    disabled = """
import torch
from napari_segcam.tuning.model_libraries import without_compiler
with without_compiler():
    @torch.compiler.disable
    def is_compiling():
        return torch.compiler.is_compiling()
values.append(is_compiling())
compiled = torch.compile(lambda: is_compiling(), backend="eager")
values.append(compiled())
def control():
    return torch.compiler.is_compiling()
values.append(torch.compile(control, backend="eager")())
"""
    assert values_in_new_process(disabled) == [False, False, True]


@pytest.mark.slow
def test_an_import_that_fails_leaves_no_stand_in() -> None:
    failing = """
import torch
from napari_segcam.tuning.model_libraries import without_compiler
try:
    with without_compiler():
        raise KeyError
except KeyError:
    values.append("torch._dynamo" in sys.modules)
"""
    assert values_in_new_process(failing) == [False]
