"""Final activations: networks that were saved whole may end in a sigmoid or softmax, where logits are wanted.

Masks are cut from the sigmoid or softmax of a network's output. Of an output that is one already, that would be another
one: every pixel above one half.
"""

from __future__ import annotations

from torch import nn

from napari_segcam.network.graph_network import GraphNetwork
from napari_segcam.network.keras_network import KerasNetwork
from napari_segcam.network.torchscript import ScriptedNetwork


def drop_final_activation(network: nn.Module) -> str | None:
    """Change the network so that it gives logits.

    Returns:
        What was left out, ``"sigmoid"`` or ``"softmax"``; None where the network ends in neither.
    """
    if isinstance(network, ScriptedNetwork):
        return network.undo_final("sigmoid", "softmax")
    if isinstance(network, GraphNetwork | KerasNetwork):
        return network.drop_final("sigmoid", "softmax")
    holder, name = _last(network)
    last = getattr(holder, name, None)
    if not isinstance(last, nn.Sigmoid | nn.Softmax | nn.Softmax2d):
        return None
    setattr(holder, name, nn.Identity())
    return "sigmoid" if isinstance(last, nn.Sigmoid) else "softmax"


def _last(network: nn.Module) -> tuple[nn.Module, str]:
    """Where the last layer of a network lies: SMP's head has an activation, and sequences end in their last layer."""
    holder, name = network, ""
    part = getattr(network, "segmentation_head", network)
    while isinstance(part, nn.Module):
        inner = "activation" if hasattr(part, "activation") else next(reversed(part._modules), "")
        if not inner or not (isinstance(part, nn.Sequential) or inner == "activation"):
            break
        holder, name = part, inner
        part = getattr(part, inner)
    return holder, name
