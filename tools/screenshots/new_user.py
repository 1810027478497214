"""The settings of a new user, for a process that must not see those of the one who starts it."""

from __future__ import annotations

from pathlib import Path


def folders_of_new_user(home: Path) -> dict[str, str]:
    """Return the environment variables that put settings, caches and data into an empty folder."""
    return {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("CONFIG", "CACHE", "DATA", "STATE")}
