"""Names of heatmap layers: they say which stages take no part, in the layer list and wherever a stage is named."""

from __future__ import annotations

from collections.abc import Mapping

from napari.layers import Image

from napari_segcam.viewer.evidence.evidence_store import Influences
from napari_segcam.viewer.layers.placement import OURS

_NO_PART = "takes no part"


def name_layers(layers: Mapping[str, Image], influences: Influences | None) -> None:
    """Name the layers of stages that take no part in the mask so, and the others as before.

    A name that the user has given stays.

    Args:
        layers: by stage name.
        influences: of the stages; None while they are not known.
    """
    stages = {} if influences is None else influences.stages
    for stage, layer in layers.items():
        takes_part = stages[stage].takes_part if stage in stages else None
        properties = layer.metadata[OURS]
        usual = properties.setdefault("name", layer.name)
        marked = f"{stage} ({_NO_PART})"
        name = marked if takes_part is False else usual
        if layer.name != name and layer.name in (usual, marked):
            layer.name = name
