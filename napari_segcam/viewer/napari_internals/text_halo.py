"""A dark halo around a layer's text, so that it can be read on bright tissue."""

from __future__ import annotations

from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer

from napari_segcam.viewer.napari_internals.replacement import is_plain_napari, private_attribute

# The end of vispy's shader for text: the color of a pixel, which is inside of a letter by the share alpha.
_PLAIN = """        if (alpha <= 0) discard;

        gl_FragColor = vec4(v_color.rgb, v_color.a * alpha);"""

# The texture holds the distance to the edge of the letter; 0.5 is the edge, and less is outside.
_WITH_HALO = """        float cover = max(alpha, 0.9 * smoothstep(0.02, 0.3, distance));
        if (cover <= 0) discard;

        gl_FragColor = vec4(v_color.rgb * clamp(alpha / max(cover, 0.001), 0.0, 1.0), v_color.a * cover);"""


def add_text_halo(viewer: ViewerModel, layer: Layer) -> bool:
    """Draw a layer's text with a dark halo; return whether this version of napari and vispy allows it.

    Args:
        viewer: that shows the layer.
        layer: Shapes or Points, in the viewer already.
    """
    window: Any = getattr(viewer, "window", None)
    if window is None or is_plain_napari():
        return False
    visuals = private_attribute(window, "_qt_viewer.canvas.layer_to_visual")
    visual = None if visuals is None else visuals.get(layer)
    text = None if visual is None else private_attribute(visual, "node.text")
    program: Any = None if text is None else private_attribute(text, "shared_program")
    source = None if program is None else private_attribute(program, "_fcode")
    if not isinstance(source, str) or source.count(_PLAIN) != 1:
        return False
    program.frag = source.replace(_PLAIN, _WITH_HALO)
    return True
