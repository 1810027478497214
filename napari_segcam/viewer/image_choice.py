"""Ask the user which of several images in a file to open."""

from __future__ import annotations

from napari_segcam.imaging.stacks.array_choice import SeveralImagesError


def ask_for_image(several: SeveralImagesError) -> str | None:
    """Return the name of the image that the user chooses in a dialog, or None if they cancel it.

    Raises:
        SeveralImagesError: if there is no window to ask in.
    """
    # Imported here so that the reader works without Qt widgets, for example in a script.
    from qtpy.QtWidgets import QApplication, QInputDialog

    if QApplication.instance() is None:
        raise several
    names = list(several.shapes)
    labels = [f"{name}   ({' × '.join(map(str, several.shapes[name]))})" for name in names]
    title = f"Open {several.path.name}"
    label, is_accepted = QInputDialog.getItem(
        QApplication.activeWindow(), title, f"{several.path.name} holds several images. Open:", labels, 0, False
    )
    return names[labels.index(label)] if is_accepted else None
