"""Package source: the classes of an installed package, read from its files without importing it.

Importing a package of CAM methods takes seconds and loads libraries of its own. A list of its methods must cost
neither: the viewer shows it, and most users never choose one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True, eq=False)
class SourceClass:
    """A class as it is written in a file.

    Attributes:
        name: of the class.
        bases: names of its base classes, without those of modules.
        functions: its own methods, by name.
    """

    name: str
    bases: tuple[str, ...]
    functions: dict[str, ast.FunctionDef]


class PackageSource:
    """The classes that a package offers at one of its entry points, by name.

    Args:
        package: name of the module, such as ``"torchcam"``.
        entry: path of the file, within the package's folder, whose imports are its public names.
    """

    def __init__(self, package: str, entry: str = "__init__.py") -> None:
        spec = find_spec(package)
        folders = list(spec.submodule_search_locations or ()) if spec else []
        self._folder = Path(folders[0]) if folders else None
        self._entry = entry

    @cached_property
    def classes(self) -> dict[str, SourceClass]:
        """Classes beside the entry point, by name; empty if the package is not installed or its files are not there."""
        if self._folder is None:
            return {}
        found: dict[str, SourceClass] = {}
        for path in sorted((self._folder / self._entry).parent.glob("*.py")):
            for node in _parse(path).body:
                if isinstance(node, ast.ClassDef):
                    found.setdefault(node.name, _source_class(node))
        # Several files may have a class of one name: the one that the entry point imports counts.
        for name, path in self._imports():
            for node in _parse(path).body:
                if isinstance(node, ast.ClassDef) and node.name == name:
                    found[name] = _source_class(node)
        return found

    @cached_property
    def public(self) -> tuple[str, ...]:
        """Names of the classes that the entry point imports, in its order."""
        return tuple(dict.fromkeys(name for name, _ in self._imports() if name in self.classes))

    def chain(self, name: str) -> Iterator[SourceClass]:
        """Yield a class and those that it inherits from, as far as they are in the package."""
        waiting = [name]
        while waiting:
            found = self.classes.get(waiting.pop(0))
            if found is not None:
                yield found
                waiting += found.bases

    def inherits(self, name: str, ancestor: str) -> bool:
        return any(found.name == ancestor for found in self.chain(name))

    def function(self, name: str, function: str) -> ast.FunctionDef | None:
        """Return a method of a class, its own or an inherited one."""
        return next((found.functions[function] for found in self.chain(name) if function in found.functions), None)

    def _imports(self) -> Iterator[tuple[str, Path]]:
        """Yield the names that the entry point imports from the package's files, each with its file."""
        if self._folder is None:
            return
        entry = self._folder / self._entry
        for node in _parse(entry).body:
            if not isinstance(node, ast.ImportFrom) or not node.module:
                continue
            path = self._file_of(node, entry)
            if path is None:
                continue
            names = [alias.name for alias in node.names]
            for name in _exported(path) if names == ["*"] else names:
                yield name, path

    def _file_of(self, node: ast.ImportFrom, entry: Path) -> Path | None:
        assert self._folder is not None
        assert node.module is not None
        parts = node.module.split(".")
        if node.level == 0:
            if parts[0] != self._folder.name:
                return None
            folder, parts = self._folder, parts[1:]
        else:
            folder = entry.parents[node.level - 1]
        path = folder.joinpath(*parts).with_suffix(".py")
        return path if path.is_file() else None


def required_arguments(function: ast.FunctionDef | None) -> list[str]:
    """Return the arguments of a method that have no default, without ``self``."""
    if function is None:
        return []
    positional = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)][1:]
    required = positional[: len(positional) - len(function.args.defaults)]
    keywords = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    return required + [argument.arg for argument, default in keywords if default is None]


def default_of(function: ast.FunctionDef | None, argument: str) -> object:
    """Return the default of an argument that is a plain value; None if it has none."""
    if function is None:
        return None
    positional = (*function.args.posonlyargs, *function.args.args)
    defaults = dict(zip(reversed([one.arg for one in positional]), reversed(function.args.defaults), strict=False))
    keywords = {one.arg: value for one, value in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)}
    value = {**defaults, **keywords}.get(argument)
    return value.value if isinstance(value, ast.Constant) else None


@cache
def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, UnicodeDecodeError):  # a file of another Python version offers nothing
        return ast.Module(body=[], type_ignores=[])


def _source_class(node: ast.ClassDef) -> SourceClass:
    bases = tuple(base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in node.bases)
    functions = {inner.name: inner for inner in node.body if isinstance(inner, ast.FunctionDef)}
    return SourceClass(node.name, bases, functions)


def _exported(path: Path) -> list[str]:
    """Return what ``import *`` takes from a file: its ``__all__``."""
    for node in _parse(path).body:
        if isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "__all__" for target in node.targets):
            return [str(name) for name in ast.literal_eval(node.value)]
    return []
