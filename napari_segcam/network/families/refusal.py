"""What to say about weights that no network is built for: which network they are, and exactly what is missing."""

from __future__ import annotations

from napari_segcam.network.checkpoints.checkpoint import Checkpoint
from napari_segcam.network.checkpoints.state_dict import list_names
from napari_segcam.network.families.decoders import ARCHITECTURES, Shapes
from napari_segcam.network.families.encoders import shapes_of
from napari_segcam.network.families.fingerprints import CLASSIFIERS, FINGERPRINTS, Fingerprint
from napari_segcam.remedies import remedy

_VARIANT = "If it is a variant of that network, its layers can be read from the shapes of the weights ({way}). "
_EXPORT = (
    "or export it where its code runs: torch.export.save(torch.export.export(net.eval(), "
    "(torch.zeros(1, {inputs}, 256, 256),)), 'net.pt2')"
)


def known_network(shapes: Shapes) -> Fingerprint | None:
    """Return the well-known network that weights of these names belong to, if it is one that is not rebuilt."""
    names = list(shapes)
    found = next((fingerprint for fingerprint in FINGERPRINTS if fingerprint.matches(names)), None)
    return found or next((fingerprint for fingerprint in CLASSIFIERS if fingerprint.matches(names)), None)


def known_network_refusal(checkpoint: Checkpoint) -> str:
    """Return what to say about weights of a well-known network; empty if they are not known."""
    shapes = shapes_of(checkpoint.weights)
    network = known_network(shapes)
    if network is None:
        return ""
    facts = _Facts(shapes)
    remark = f" {network.remark}" if network.remark else ""
    start = f"{checkpoint.path}: the weights have the names of {network.name} ({network.repository}).{remark}"
    if not network.factory:
        return start
    call = facts.fill(network.factory)
    module, _, function = call.partition("(")[0].rpartition(".")
    return (
        f"{start} The weights do not say how to build it. Give its code: in the folder of the repository, write a file "
        f"my_network.py with: import {module}; def network(): return {module}.{function}({call.partition('(')[2]} "
        f"Then {remedy('given_factory')}; {facts.fill(_EXPORT)}."
    )


def unknown_network_refusal(checkpoint: Checkpoint, nearly: str) -> str:
    """Return what to say about weights of an unknown network: what was read, and what is missing.

    Args:
        checkpoint: with the weights.
        nearly: which known network they nearly are, or an empty text.
    """
    shapes = shapes_of(checkpoint.weights)
    facts = _Facts(shapes)
    return (
        f"{checkpoint.path}: the architecture is not recognized. The file holds {len(shapes)} tensors{facts.text}, "
        f"which begin with {list_names(shapes)}{'; ' if nearly else ''}{nearly}. The code that connects them is "
        "missing. "
        f"{_VARIANT.format(way=remedy('accept_structure')) if nearly else ''}"
        f"If it is your own network, name the function that makes it ({remedy('factory')}), "
        f"{facts.fill(_EXPORT)}. If it is one of SMP's, name it ({remedy('architecture')}): {', '.join(ARCHITECTURES)}."
    )


class _Facts:
    """What the shapes say about a network's input and output."""

    def __init__(self, shapes: Shapes) -> None:
        convolutions = [shape for shape in shapes.values() if len(shape) == 4]
        matrices = [shape for shape in shapes.values() if len(shape) == 2]
        self.inputs = convolutions[0][1] if convolutions else 3
        self.outputs = convolutions[-1][0] if convolutions else None
        self.scores = matrices[-1][0] if matrices else None

    @property
    def text(self) -> str:
        """Return input channels and outputs, to go on with after a number of tensors."""
        if self.outputs is None:
            return ""
        return f" (the first convolution takes {self.inputs} channels, the last one gives {self.outputs})"

    def fill(self, text: str) -> str:
        """Return a text with the numbers in place of their names."""
        for name, value in (("inputs", self.inputs), ("outputs", self.outputs), ("scores", self.scores)):
            text = text.replace(f"{{{name}}}", "…" if value is None else str(value))
        return text
