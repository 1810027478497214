"""A short recording of the window, with the mouse drawn into it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageDraw
from qtpy.QtCore import QPoint

WIDTH = 1024  # pixels
LARGEST = 3_000_000  # bytes
_QUALITIES = (80, 65, 50, 35)
_ARROW = ((0, 0), (0, 17), (4, 13), (7, 20), (10, 19), (7, 12), (12, 12))


@dataclass
class Recorder:
    """Keeps pictures of the window, each with the time for which it is shown.

    Attributes:
        pictures: in order.
        milliseconds: how long each is shown.
        pointer: where the mouse is on the screen, once it was used.
    """

    pictures: list[Image.Image] = field(default_factory=list)
    milliseconds: list[int] = field(default_factory=list)
    pointer: QPoint | None = None

    def add(self, picture: Image.Image, milliseconds: int) -> None:
        """Add a picture of the whole window; one that equals the last makes that one last longer."""
        shown = picture.copy()
        if self.pointer is not None:
            places = [(self.pointer.x() + x, self.pointer.y() + y) for x, y in _ARROW]
            ImageDraw.Draw(shown).polygon(places, fill="white", outline="black")
        height = round(shown.height * WIDTH / shown.width)
        shown = shown.resize((WIDTH, height), Image.Resampling.LANCZOS)
        if self.pictures and shown.tobytes() == self.pictures[-1].tobytes():
            self.milliseconds[-1] += milliseconds
        else:
            self.pictures.append(shown)
            self.milliseconds.append(milliseconds)

    def seconds(self) -> float:
        return sum(self.milliseconds) / 1000

    def save(self, path: Path) -> None:
        """Write an animated WebP that repeats, as good as its size allows.

        Raises:
            ValueError: if it is too large, or nothing was recorded.
        """
        if not self.pictures:
            raise ValueError(f"Nothing was recorded for {path.name}.")
        path.parent.mkdir(parents=True, exist_ok=True)
        first, *others = self.pictures
        for quality in _QUALITIES:
            options = {"save_all": True, "append_images": others, "duration": self.milliseconds, "loop": 0}
            first.save(path, quality=quality, method=4, minimize_size=False, **options)
            if path.stat().st_size <= LARGEST:
                return
        raise ValueError(f"{path.name} has {path.stat().st_size} bytes; at most {LARGEST} are allowed.")
