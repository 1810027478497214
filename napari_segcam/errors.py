"""The one error type that reaches users: a sentence they can act on."""

from __future__ import annotations


class SegcamError(Exception):
    """Something the user can put right.

    The message says what is wrong, where, and what to do, in the user's words. The command line prints it as one
    line and exits with code 2; the viewer shows it as a notification. Any other exception is a defect of ours.
    """
