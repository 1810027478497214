"""Build the documentation into ``site/``; what the built pages load must be part of them.

``python tools/documentation/build.py``, or ``make docs``. No network connection is made.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from loaded_files import loaded_from_elsewhere

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Build the site and return the exit code: 1 if mkdocs warns or a page loads something from elsewhere."""
    # Material announces with a banner that mkdocs 2 will not be its base; the versions here are pinned.
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "mkdocs", "build", "--clean", "--strict"]
    if (code := subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode) != 0:
        return code
    foreign = loaded_from_elsewhere(ROOT / "site")
    for line in foreign:
        print(line, file=sys.stderr)
    if not foreign:
        print("The documentation is in site/: open site/index.html.")
    return 1 if foreign else 0


if __name__ == "__main__":
    sys.exit(main())
