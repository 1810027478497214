"""Lay the nodes of a graph out as a tree of modules, as the paths in the file say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from napari_segcam.network.child_names import free_child_name
from napari_segcam.network.onnx.graph import Array, Node
from napari_segcam.network.onnx.layers import make_layer


class Block(nn.Module):
    """A module of the exported network. Its layers have run when it is called with what they made for others.

    It returns these values, so that hooks on it see them and may replace them.
    """

    def forward(self, *values: Any) -> Any:
        return values[0] if len(values) == 1 else values


@dataclass(eq=False)
class Branch:
    """A part of the tree: the nodes directly in it, and the parts in it by name.

    Attributes:
        nodes: indices of the nodes.
        parts: by name.
        name: dotted name of the module that is made of it.
        is_called: whether it is a module with a call of its own.
    """

    nodes: list[int] = field(default_factory=list)
    parts: dict[str, Branch] = field(default_factory=dict)
    name: str = ""
    is_called: bool = False

    def all_nodes(self) -> list[int]:
        """Return the indices of all nodes in it, in the order in which they run."""
        pending, found = [self], []
        while pending:
            branch = pending.pop()
            found += branch.nodes
            pending += branch.parts.values()
        return sorted(found)

    def blocks(self) -> list[Branch]:
        """Return all parts in it that are blocks, each before those in it."""
        pending, found = [self], []
        while pending:
            branch = pending.pop()
            inner = [part for part in branch.parts.values() if not part.is_layer]
            found += inner
            pending += inner
        return found

    @property
    def is_layer(self) -> bool:
        """Whether it is one layer: a single node and nothing else."""
        return len(self.nodes) == 1 and not self.parts


def plant(nodes: Sequence[Node], indices: Sequence[int]) -> Branch:
    """Return the tree of these nodes. What all of them have around them is left out."""
    around = _common_beginning([nodes[index].path for index in indices if nodes[index].path])
    root = Branch()
    for index in indices:
        branch = root
        for depth, part in enumerate(nodes[index].path[around:], start=around + 1):
            branch = branch.parts.setdefault(part, Branch())
            branch.is_called = branch.is_called or depth in nodes[index].called
        branch.nodes.append(index)
    return root


def add_modules(
    root: nn.Module,
    tree: Branch,
    nodes: Sequence[Node],
    constants: Mapping[str, nn.Parameter | Any | Array],
) -> dict[int, str]:
    """Add the modules of a tree to a module; return the dotted name of each node's layer.

    Raises:
        MissingOperatorError: for a node without a counterpart in torch.
    """
    names: dict[int, str] = {}
    has_modules = bool(tree.parts)
    pending: list[tuple[nn.Module, Branch]] = [(root, tree)]
    while pending:
        parent, branch = pending.pop()
        prefix = f"{branch.name}." if branch.name else ""
        for part_name, part in branch.parts.items():
            free = free_child_name(parent, part_name, "part")
            part.name = f"{prefix}{free}"
            if part.is_layer:
                names[part.nodes[0]] = part.name
                parent.add_module(free, make_layer(nodes[part.nodes[0]], constants, is_function=False))
            else:
                block = Block()
                parent.add_module(free, block)
                pending.append((block, part))
        for index in branch.nodes:
            node = nodes[index]
            wanted = node.name if node.name and not node.path and not has_modules else node.operator
            free = free_child_name(parent, wanted.strip("/").replace("/", "_")[:100] or node.operator, "node")
            names[index] = f"{prefix}{free}"
            parent.add_module(free, make_layer(node, constants, is_function=has_modules))
    return names


def _common_beginning(paths: Sequence[tuple[str, ...]]) -> int:
    """Return how many parts all paths begin with, leaving each at least one."""
    if not paths:
        return 0
    most = min(len(path) for path in paths) - 1
    count = 0
    while count < most and len({path[count] for path in paths}) == 1:
        count += 1
    return count


@dataclass(frozen=True)
class Announcement:
    """A call of a block, once its layers have run.

    Attributes:
        layer: dotted name of the block.
        values: names of the values that its layers make for others.
    """

    layer: str
    values: tuple[str, ...]


def announcements(
    tree: Branch, nodes: Sequence[Node], layered: Sequence[int], outputs: Sequence[str]
) -> dict[int, list[Announcement]]:
    """Return the calls of blocks, by the index of the node after which they come, the innermost first.

    A block is called only if no layer outside it has taken its values by then.

    Args:
        tree: of the nodes, whose modules have been added.
        nodes: of the graph.
        layered: indices of the nodes that are layers; others compute sizes.
        outputs: names of the values that the graph returns.
    """
    is_layer = set(layered)
    takers: dict[str, list[int]] = {}
    for index, node in enumerate(nodes):
        for name in node.inputs:
            if name:
                takers.setdefault(name, []).append(index)
    calls: dict[int, list[Announcement]] = {}
    for block in reversed(tree.blocks()):
        if not block.is_called:
            continue
        inside = block.all_nodes()
        own, last = set(inside), inside[-1]
        values = []
        for index in inside:
            for name in nodes[index].outputs:
                outside = [taker for taker in takers.get(name, []) if taker not in own and taker in is_layer]
                if outside and min(outside) < last:
                    break
                if name and (outside or name in outputs):
                    values.append(name)
            else:
                continue
            break
        else:
            if values:
                calls.setdefault(last, []).append(Announcement(block.name, tuple(values)))
    return calls
