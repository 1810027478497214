"""Names for the children, parameters and buffers of a module, where a file chooses them.

A file can give a layer any name, and some names are not free: a layer called ``forward`` or ``channels`` would replace
an attribute of the module that holds it, or be hidden by it.
"""

from __future__ import annotations

from torch import nn


def is_child_name(name: str) -> bool:
    """Return whether torch can keep a child under this name, and Python gives the name no other meaning.

    A dot separates the names of nested modules. Python looks up names such as ``__deepcopy__`` by itself.
    """
    return bool(name) and "." not in name and not (name.startswith("__") and name.endswith("__"))


def free_child_name(module: nn.Module, name: str, suffix: str) -> str:
    """Return a name for a new child, parameter or buffer that replaces nothing in the module.

    Args:
        module: must have all its other attributes already, because the name is compared with these.
        name: the name in the file; it is kept if possible.
        suffix: is added after an underscore if the name is not free.
    """
    stem = name.replace(".", "_")
    candidate, number = stem, 1
    while not is_child_name(candidate) or hasattr(module, candidate):
        candidate = f"{stem}_{suffix}" if number == 1 else f"{stem}_{suffix}_{number}"
        number += 1
    return candidate
