"""The proxies in which napari hands its objects to plugins."""

from __future__ import annotations

from typing import Any


def without_proxy(proxied: Any) -> Any:
    """Return a viewer or layer itself; napari gives widgets a proxy, which warns about private attributes."""
    return getattr(proxied, "__wrapped__", proxied)
