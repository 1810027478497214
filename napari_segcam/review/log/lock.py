"""The lock of a rater's log: one program at a time writes it."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from napari_segcam.errors import SegcamError, error_text


def lock_log(folder: Path, rater: str) -> FileLock:
    """Take the lock of a rater's folder; the operating system releases it when the program ends, however it ends.

    Raises:
        SegcamError: if another program holds it, or the folder cannot be written to.
    """
    lock = FileLock(folder / "log.lock", thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise SegcamError(
            f"The review of {rater} is open in another window or on another machine. Close it there, or give another "
            "name of the rater: each rater has a log of their own."
        ) from None
    except OSError as error:
        raise SegcamError(f"{folder} cannot be written to: {error_text(error)}.") from error
    return lock
