"""Look for words that are cut off, in every widget on three screens, in two themes and three font sizes.

    python -m tools.screenshots.matrix FOLDER                     all of it; a picture of each goes into FOLDER
    python -m tools.screenshots.matrix FOLDER --screens 1366x768  some of it
    python -m tools.screenshots.matrix FOLDER --empty             without a network: a minute for each screen

Each screen is a virtual one of its own, with a process of its own. The status is 1 if anything is cut off.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tools.screenshots.new_user import folders_of_new_user

ROOT = Path(__file__).parents[2]
THEMES = ("dark", "light")
FONTS = (8, 12, 18)


@dataclass(frozen=True)
class Screen:
    """A screen: its size in the pixels that a program counts, and how many real pixels one of them has."""

    width: int
    height: int
    scale: int = 1

    @property
    def name(self) -> str:
        return f"{self.width}x{self.height}" + (f"@{self.scale}" if self.scale != 1 else "")


SCREENS = (Screen(1366, 768), Screen(1920, 1080), Screen(1366, 768, 2))


def main() -> None:
    names = [screen.name for screen in SCREENS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("--screens", nargs="+", choices=names, default=names)
    parser.add_argument("--themes", nargs="+", choices=THEMES, default=THEMES)
    parser.add_argument("--fonts", nargs="+", type=int, default=FONTS)
    parser.add_argument("--empty", action="store_true", help="show only widgets without a network, and the dialogs")
    options = parser.parse_args()
    faults = 0
    for screen in SCREENS:
        if screen.name in options.screens:
            faults += look_at(screen, options.folder.resolve(), options.themes, options.fonts, options.empty)
    sys.exit(f"{faults} cut off" if faults else 0)


def look_at(screen: Screen, folder: Path, themes: list[str], fonts: list[int], is_empty: bool) -> int:
    """Print what is cut off on a screen, by theme, font size and widget; return how many there are."""
    with tempfile.TemporaryDirectory(prefix="segcam-matrix-") as scratch:
        done = subprocess.run(
            [
                *("xvfb-run", "-a", "-s"),
                f"-screen 0 {screen.width * screen.scale}x{screen.height * screen.scale}x24 +extension GLX",
                *(sys.executable, "-m", "tools.screenshots.matrix_window"),
                json.dumps(
                    {
                        "size": [screen.width, screen.height],
                        "themes": list(themes),
                        "fonts": list(fonts),
                        "pictures": str(folder / screen.name),
                        "scratch": scratch,
                        "empty": is_empty,
                    }
                ),
            ],
            cwd=ROOT,
            env={**os.environ, **_settings(Path(scratch)), "QT_SCALE_FACTOR": str(screen.scale)},
            check=False,
        )
        report = Path(scratch, "report.json")
        if done.returncode or not report.is_file():
            sys.exit(f"The window on {screen.name} ended with status {done.returncode}.")
        cells = json.loads(report.read_text(encoding="utf-8"))
    print(f"\n{screen.name}: cut off")
    print(f"{'':34}" + "".join(f"{theme + ' ' + str(font):>10}" for theme in themes for font in fonts))
    for name in cells:
        counts = [len(cells[name].get(f"{theme} {font}", ())) for theme in themes for font in fonts]
        print(f"{name:34}" + "".join(f"{count or '·':>10}" for count in counts), flush=True)
    for name, faults in cells.items():
        for cell, lines in faults.items():
            for line in lines:
                print(f"{screen.name} {cell} {name}: {line}", flush=True)
    return sum(len(lines) for faults in cells.values() for lines in faults.values())


def _settings(scratch: Path) -> dict[str, str]:
    """Return the environment of a new user."""
    return {**folders_of_new_user(scratch), "NAPARI_SEGCAM_CONFIG": str(scratch / "settings"), "QT_QPA_PLATFORM": "xcb"}


if __name__ == "__main__":
    main()
