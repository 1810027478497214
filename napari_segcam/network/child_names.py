"""Names for the children, parameters and buffers of a module, where a file chooses them.

A file can name a layer as it likes. Some of these names are not free: a layer called ``forward`` or ``channels`` would
replace, or be hidden by, an attribute of the module that holds it.
"""

from __future__ import annotations

from torch import nn


def is_child_name(name: str) -> bool:
    """Whether torch can keep a child under this name, and Python asks the module for nothing else by it.

    A dot separates the names of nested modules. Python looks up names such as ``__deepcopy__`` by itself.
    """
    return bool(name) and "." not in name and not (name.startswith("__") and name.endswith("__"))


def free_child_name(module: nn.Module, name: str, suffix: str) -> str:
    """Return a name for a new child, parameter or buffer that replaces nothing in the module.

    Args:
        module: has all its own attributes already, since the name is compared with these.
        name: chosen by the file; it is used as it is where possible.
        suffix: is added to a name that is taken, after an underscore.
    """
    stem = name.replace(".", "_")
    candidate, number = stem, 1
    while not is_child_name(candidate) or hasattr(module, candidate):
        candidate = f"{stem}_{suffix}" if number == 1 else f"{stem}_{suffix}_{number}"
        number += 1
    return candidate
