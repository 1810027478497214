"""The process of the command line: Ctrl-C ends it with one sentence at any time, while it starts and ends too."""

from __future__ import annotations

import signal
import sys

from napari_segcam.interrupts import STOPPED_EARLY, ctrl_c_after_imports


def run() -> None:
    """Run ``napari-segcam`` with the arguments of this process."""
    try:
        with ctrl_c_after_imports():
            from napari_segcam.cli import main  # takes a second, in which Ctrl-C may come

            main()
    except KeyboardInterrupt:
        print(STOPPED_EARLY, file=sys.stderr)
        sys.exit(130)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done, except that Python ends


if __name__ == "__main__":
    run()
