"""Controls that cannot be used yet: their tooltip says what is missing, then what they do."""

from __future__ import annotations

from qtpy.QtWidgets import QWidget

_TIP = "segcam_tip"


def set_usable(control: QWidget, missing: str | None, tip: str | None = None) -> None:
    """Let a control be used, or say in its tooltip what must be there or done first.

    Args:
        control: a button, a choice, a field.
        missing: a sentence; None or empty if the control can be used.
        tip: what the control does; None for the tooltip that it had before the first call.
    """
    if tip is None:
        kept = control.property(_TIP)
        tip = control.toolTip() if kept is None else str(kept)
    control.setProperty(_TIP, tip)
    control.setEnabled(not missing)
    text = "\n".join(filter(None, (missing, tip)))
    if control.toolTip() != text:
        control.setToolTip(text)
