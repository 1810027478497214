from __future__ import annotations

import pytest

from napari_segcam.errors import SegcamError
from napari_segcam.reporting.overlay_style import OverlayStyle


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"overlays": ("contours",)}, "no overlay 'contours'. Choose from: heat, contour, side-by-side"),
        ({"overlays": ()}, "No overlay is chosen"),
        ({"opacity": 1.2}, "between 0 and 1, but it is 1.2"),
        ({"opacity": float("nan")}, "between 0 and 1"),
        ({"colormap": "infernno"}, "no colormap 'infernno'. Did you mean inferno?"),
        ({"colormap": "qqqq"}, "no colormap 'qqqq'. Try inferno"),
        ({"colormap": ""}, "no colormap ''"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_words(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(SegcamError) as refused:
        OverlayStyle(**wrong)  # type: ignore[arg-type]
    assert said in str(refused.value)


def test_looks_that_are_alike_are_equal() -> None:
    assert OverlayStyle(("heat",), "viridis", 0.0) == OverlayStyle(overlays=("heat",), colormap="viridis", opacity=0)
