"""Follow the tutorials word for word, and take their pictures: `make screenshots`.

    python -m tools.screenshots                       all tutorials, the recording, and docs/images/ again
    python -m tools.screenshots --check               the same, compared with the pictures in docs/images/, which stay
    python -m tools.screenshots --follow              the same, where fonts or drivers differ: distances are only said
    python -m tools.screenshots review-a-cine         some of them
    python -m tools.screenshots --public FOLDER       docs/public-ultrasound.md as well, with the images in FOLDER

Each tutorial is followed in a process of its own, with the settings of a new user.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.screenshots.comparing import SAME, distance
from tools.screenshots.new_user import folders_of_new_user
from tools.screenshots.public_ultrasound import prepare

ROOT = Path(__file__).parents[2]
TUTORIALS = ROOT / "docs" / "tutorials"
PUBLIC = ROOT / "docs" / "public-ultrasound.md"
IMAGES = ROOT / "docs" / "images"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tutorials", nargs="*", help=f"names of tutorials, or {PUBLIC.stem}; all without any")
    parser.add_argument("--check", action="store_true", help="compare with the pictures that are there")
    parser.add_argument("--follow", action="store_true", help="say how far the pictures are from those, and no more")
    parser.add_argument(
        "--public", type=Path, metavar="FOLDER", help=f"follow docs/{PUBLIC.name} as well, with its images"
    )
    options = parser.parse_args()
    names = options.tutorials or [*sorted(page.stem for page in TUTORIALS.glob("*.md")), PUBLIC.stem]
    if PUBLIC.stem in options.tutorials and options.public is None:
        parser.error(f"{PUBLIC.stem} needs its images: --public FOLDER")
    pages = [TUTORIALS / f"{name}.md" for name in names if name != PUBLIC.stem]
    with tempfile.TemporaryDirectory(prefix="segcam-screenshots-") as scratch:
        target = Path(scratch, "pictures") if options.check or options.follow else IMAGES
        with_public = PUBLIC.stem in names and options.public is not None
        folder = Path(tempfile.mkdtemp(dir=scratch))
        if with_public:
            prepare(options.public, folder)  # first, as it ends if something is missing
        failed = [page.name for page in pages if not followed(page, target, Path(scratch))]
        if with_public:
            failed += [] if followed(PUBLIC, target, Path(scratch), folder) else [PUBLIC.name]
        elif PUBLIC.stem in names:
            print(f"{PUBLIC.name}: not followed; its images are not part of this project: --public FOLDER", flush=True)
        if target != IMAGES:
            apart = different(target)
            failed += apart if options.check else []
    sys.exit(f"Not as the pages say: {', '.join(failed)}" if failed else 0)


def followed(page: Path, target: Path, scratch: Path, folder: Path | None = None) -> bool:
    """Follow a tutorial, in an empty folder or the one given; say how long it took, and return whether it went well."""
    start = time.monotonic()
    home = Path(tempfile.mkdtemp(dir=scratch))
    command = [sys.executable, "-m", "tools.screenshots.follow", str(page), str(target)]
    command += [] if folder is None else [str(folder)]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **folders_of_new_user(home)}, check=False)
    print(
        f"{page.name}: {'followed' if done.returncode == 0 else 'FAILED'}, {time.monotonic() - start:.0f} s", flush=True
    )
    return done.returncode == 0


def different(made: Path) -> list[str]:
    """Return the pictures that no longer look as those in the documentation, each with the distance."""
    found = []
    for picture in sorted(made.glob("*.png")):
        shown = IMAGES / picture.name
        apart = distance(picture, shown) if shown.is_file() else 1.0
        print(f"{picture.name}: {apart:.3f} from the picture in docs/images, at most {SAME}", flush=True)
        if apart > SAME:
            found.append(f"{picture.name} (run `make screenshots` and look at it)")
    return found


if __name__ == "__main__":
    main()
