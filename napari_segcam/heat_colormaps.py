"""The colormaps of heat: which are uniform, and which one is the default."""

from __future__ import annotations

# Lightness rises evenly in these, for a deuteranope too: what looks twice as hot is twice as hot.
UNIFORM_COLORMAPS = ("inferno", "magma", "viridis", "cividis", "gray")
OTHER_COLORMAPS = (
    "turbo",
    "hot",
)  # they have bright bands where the heat has none; offered because other tools use them
DEFAULT_COLORMAP = UNIFORM_COLORMAPS[0]
