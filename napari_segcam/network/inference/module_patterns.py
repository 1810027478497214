"""Check that a module has exactly the form that a rewrite expects, and that it is used only once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TypeGuard, TypeVar

from torch import nn

AnyModule = TypeVar("AnyModule", bound=nn.Module)


def is_plain(module: object, kind: type[AnyModule]) -> TypeGuard[AnyModule]:
    """Whether a module is of exactly this type, without an added forward method, hook or parametrization.

    Subclasses do not count: they may compute something else.
    """
    return (
        type(module) is kind
        and "forward" not in vars(module)
        and not module._forward_hooks
        and not module._forward_pre_hooks
        and not module._backward_hooks
        and not module._backward_pre_hooks
    )


def find_modules(root: nn.Module, kind: type[AnyModule]) -> Iterator[tuple[nn.Module, str, AnyModule]]:
    """Yield each plain module of this type below ``root`` as ``(parent, name in the parent, module)``.

    A module that is used in several places is left out: a rewrite that is right in one of them may be wrong in another.
    """
    uses = Counter(id(child) for parent in root.modules() for child in parent._modules.values())
    for parent in list(root.modules()):
        for name, child in list(parent._modules.items()):
            if is_plain(child, kind) and uses[id(child)] == 1:
                yield parent, name, child


def is_pointwise(module: object) -> TypeGuard[nn.Conv2d]:
    """Whether a module is a plain 1×1 convolution: a matrix product over the channels of each pixel."""
    return is_plain(module, nn.Conv2d) and (
        tuple(module.kernel_size) == (1, 1)
        and tuple(module.stride) == (1, 1)
        and tuple(module.padding) == (0, 0)
        and module.groups == 1
    )
