"""The choice of the class that the explained class is compared with."""

from __future__ import annotations

from collections.abc import Sequence

from napari_segcam.viewer.widgets.choice import Choice


class _Text:
    LABEL = "Against"
    TIP = (
        "The class that the explained class is compared with: what supports both gives no heat.\n"
        "Likeliest other: the other class with the highest mean probability in the region; the canvas names it."
    )
    LIKELIEST = "Likeliest other class"


class OtherClassChoice(Choice):
    """The other classes by number, and None for the likeliest one; shown with its label only where it has an effect."""

    LABEL = _Text.LABEL

    def __init__(self) -> None:
        super().__init__(_Text.TIP)

    def offer_classes(self, names: Sequence[str], explained: int | None) -> None:
        """Offer all classes but the explained one."""
        others = [(name, index) for index, name in enumerate(names) if index != explained]
        self.offer([(_Text.LIKELIEST, None), *others])
