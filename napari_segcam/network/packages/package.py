"""A package that is opened: its weights, and what its description says about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from napari_segcam.network.checkpoints.checkpoint import Checkpoint
from napari_segcam.network.loaded_module import LoadedModule
from napari_segcam.network.model_card import make_card
from napari_segcam.network.reference_pair import ReferencePair


@dataclass(frozen=True)
class PackageWeights:
    """One set of weights of a package.

    Attributes:
        name: how the user chooses it (``--weights``), such as ``"onnx"`` or ``"fold_1"``.
        read: reads them; the argument names a network within the file, see ``read_checkpoint``.
        build: builds the network that the description names; None if the weights show it themselves.
        note: for users, where these weights are used because none were chosen.
    """

    name: str
    read: Callable[[str | None], Checkpoint]
    build: Callable[[Checkpoint], LoadedModule] | None = None
    note: str = ""


@dataclass(frozen=True)
class Package:
    """A package of one kind.

    Attributes:
        title: name of the kind for users.
        weights: in the order in which they are tried: the first that can be opened is used.
        others: that are only used if the user names them.
        fields: of the model card, as the description gives them.
        assumed: as ``Network.assumed``.
        warnings: for users.
        reference: an input and output of the network that the package holds for checking it.
    """

    title: str
    weights: tuple[PackageWeights, ...]
    others: tuple[PackageWeights, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    assumed: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    reference: ReferencePair | None = None

    def choosing(self, name: str | None) -> Package:
        """Return the package with the weights of this name alone, or unchanged if it has none of this name."""
        chosen = [entry for entry in (*self.weights, *self.others) if entry.name == name]
        return replace(self, weights=(replace(chosen[0], note=""),), others=()) if chosen else self

    def completed(self, loaded: LoadedModule, notes: tuple[str, ...] = ()) -> LoadedModule:
        """Return a loaded module with what the package says about it."""
        card = make_card(self.fields, loaded.file_card) if self.fields else loaded.file_card
        set_fields = set() if card is None else card.model_fields_set
        assumed = {name: value for name, value in loaded.assumed.items() if name not in set_fields}
        return replace(
            loaded,
            file_card=card,
            assumed=assumed | dict(self.assumed),
            warnings=(*loaded.warnings, *self.warnings, *notes),
        )
