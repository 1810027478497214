"""Pictures are the same when only digits changed, and different when a part of the window is gone."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from tools.screenshots.comparing import SAME, distance
from tools.screenshots.public_ultrasound import prepare

SIZE = (1366, 768)


def window(path: Path, button: str = "Check this map", dock: bool = True, size: tuple[int, int] = SIZE) -> Path:
    """Draw something like a window: an image, a dock with rows, and a button."""
    picture = Image.new("RGB", size, (38, 41, 48))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((350, 60, 990, 560), fill=(110, 110, 110))
    if dock:
        draw.rectangle((1010, 50, 1360, 640), fill=(65, 72, 81))
        for row in range(20):
            draw.text((1020, 60 + 24 * row), f"encoder_{row}   100 %   p 0.{row:03}", fill="white")
    draw.text((1020, 600), button, fill="white")
    picture.save(path)
    return path


@pytest.fixture
def shown(tmp_path: Path) -> Path:
    return window(tmp_path / "shown.png")


def test_the_same_picture_has_no_distance(shown: Path) -> None:
    assert distance(shown, shown) == 0


def test_other_digits_are_the_same_picture(shown: Path, tmp_path: Path) -> None:
    assert 0 < distance(shown, window(tmp_path / "other.png", button="done in 12.3 s")) <= SAME


def test_a_missing_dock_is_another_picture(shown: Path, tmp_path: Path) -> None:
    assert distance(shown, window(tmp_path / "other.png", dock=False)) > SAME


def test_another_size_is_another_picture(shown: Path, tmp_path: Path) -> None:
    assert distance(shown, window(tmp_path / "other.png", size=(1366, 800))) == 1


def test_without_the_public_images_it_is_said_which_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"hc18_train_384x256.npz: no such file"):
        prepare(tmp_path, tmp_path)
