"""The choice of the method: quick ones first, then slow ones, then those of other installed packages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from napari_segcam.viewer.widgets.choice import Choice

if TYPE_CHECKING:  # torch comes with it
    from napari_segcam.explanation.registry import Method
    from napari_segcam.network.network import Network


class _Text:
    TIP = "How activations and gradients become a heatmap"
    PREVIEW = "{title}, preview"
    SLOW = "{title} (slow)"


def _suitable(methods: Iterable[Method], network: Network) -> list[Method]:
    """Return the methods without those that compare classes, if the network has only one."""
    return [
        method
        for method in methods
        if network.classes > 1 or not (method.contrasts or method.name.endswith(":finercam"))
    ]


class MethodChoice(Choice):
    """The methods that suit a network; a value is the method's name and whether it runs as a preview."""

    def __init__(self) -> None:
        super().__init__(_Text.TIP)

    def offer_methods(self, network: Network) -> None:
        """Offer the methods for a network.

        Those of other packages are listed without importing the packages. This imports torch, which the network has
        already imported.
        """
        from napari_segcam.explanation.attribution import ATTRIBUTIONS
        from napari_segcam.explanation.external import external_methods
        from napari_segcam.explanation.methods import METHODS
        from napari_segcam.explanation.perturbation import PERTURBATIONS

        quick = [(method.title, (method.name, False)) for method in _suitable(METHODS.values(), network)]
        previews = [
            (_Text.PREVIEW.format(title=method.title), (method.name, True))
            for method in PERTURBATIONS.values()
            if method.has_preview
        ]
        slow = [
            (_Text.SLOW.format(title=method.title), (method.name, False))
            for method in (
                *PERTURBATIONS.values(),
                *ATTRIBUTIONS.values(),
                *_suitable(external_methods().values(), network),
            )
        ]
        self.offer([*quick, *previews, *slow])

    def contrasts(self) -> bool:
        """Return whether the chosen method explains a class against another that the user can choose."""
        if self.value is None:  # no network is loaded: importing torch here, beside OpenGL, can end the process
            return False
        from napari_segcam.explanation.stage_maps import find_method

        return find_method(self.value[0]).contrasts
