"""Networks that come whole in a file: what the file says about their input, their output and what they allow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn


class WholeNetwork(nn.Module):
    """A network whose file holds its graph, so that nothing needs to be recognized.

    Attributes:
        channels: of the images that it takes; None if the file does not say.
        image_size: height and width of these images in pixels, if it takes only one size.
        output_names: of the module's outputs, to show to users.
        no_hooks_reason: why hooks on its layers are not possible, to show to users; empty if they are.
        notes: warnings for the user, from the file.
        card_fields: fields of the model card that the file gives.
        assumed_fields: names of those among them that are assumed.
    """

    channels: int | None = None
    image_size: tuple[int, int] | None = None
    output_names: tuple[str, ...] = ()
    no_hooks_reason: str = ""
    notes: tuple[str, ...] = ()
    card_fields: Mapping[str, Any] = {}
    assumed_fields: frozenset[str] = frozenset()


class FunctionCall(nn.Module):
    """An operation in the code of a module, which is not a layer of its own: it is no stage unless it is named."""
