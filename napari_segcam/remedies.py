"""What to do about a problem, in the words of the place where the message is read: the command line or the window.

A message names a remedy instead of an option, since who sits at the window knows no options::

    f"Choose another encoder ({remedy('encoder')})."
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Place = Literal["command line", "window"]

_UNRECOGNIZED = "under If it is not recognized in the Checkpoint tab"


class Remedy(NamedTuple):
    """The words for one remedy in each place.

    Attributes:
        command_line: with options and commands.
        window: with the words that stand on controls.
    """

    command_line: str
    window: str


REMEDIES: dict[str, Remedy] = {
    "accept_structure": Remedy("--accept-structure", "the button Use this structure, when you load it again"),
    "allow_http": Remedy("add the server with --allow-http", "check Allow http:// under Edit … in the PACS tab"),
    "architecture": Remedy("--architecture", f"Architecture, {_UNRECOGNIZED}"),
    "certificate": Remedy(
        "name its file: napari-segcam pacs add NAME URL --ca FILE",
        "choose its file as Certificate, under Edit … in the PACS tab.",
    ),
    "check_structure": Remedy(
        "give a saved input and output (inspect --check INPUT.npy OUTPUT.npy)",
        "compare it with a saved input and output, which the command napari-segcam inspect does",
    ),
    "encoder": Remedy("--encoder", f"Encoder, {_UNRECOGNIZED}"),
    "factory": Remedy("--network-factory package.module:function", f"Your code, {_UNRECOGNIZED}"),
    "given_factory": Remedy(
        "add --network-factory my_network:network", f"enter my_network:network as Your code, {_UNRECOGNIZED}"
    ),
    "image_size": Remedy("--image-size sets another", "Size, under What the network expects, sets another"),
    "load_network": Remedy(
        "give a checkpoint (--model), or its factory (--network-factory package.module:function).",
        f"choose a checkpoint with File … in the Checkpoint tab, or enter Your code, {_UNRECOGNIZED}.",
    ),
    "new_project": Remedy(
        "Make one: napari-segcam review new PROJECT --images DIR --model FILE.",
        "Make one with New project … in the Cases tab.",
    ),
    "new_server": Remedy("napari-segcam pacs add NAME URL", "Add … in the PACS tab"),
    "other_fold": Remedy(
        "--weights NAME chooses another, and --weights all averages all of them, as nnU-Net does.",
        f"Weights, {_UNRECOGNIZED}, takes the name of another, or all: their average, as nnU-Net does.",
    ),
    "out": Remedy("--out", "folder to write to"),
    "output": Remedy("--output", f"Output, {_UNRECOGNIZED}"),
    "password": Remedy("napari-segcam pacs login {server}", "Edit … in the PACS tab."),
    "replace": Remedy("Use --force to replace it.", "Choose another name, or remove it first."),
    "scan_region": Remedy(
        "Give its place with --region LEFT,TOP,RIGHT,BOTTOM, or keep all pixels with --region none.",
        "Give its place under Pixels that stay, or keep all pixels there.",
    ),
    "server": Remedy("Say which, with --server NAME.", "Choose one in the PACS tab."),
    "true_mask": Remedy("give it with --truth", "only the command line knows it"),
    "true_masks": Remedy("give their folder with --truth", "only the command line takes them"),
    "user_and_password": Remedy(
        "pacs add … --user USER, then napari-segcam pacs login {server}",
        "User and Password, under Edit … in the PACS tab.",
    ),
    "weights": Remedy("--weights NAME", f"Weights, {_UNRECOGNIZED}"),
}

_place: Place = "command line"


def speak_to(place: Place) -> None:
    """Let the messages of this process be for who sits there; at first they are for the command line."""
    global _place
    _place = place


def remedy(name: str, **values: str) -> str:
    """Return what to do, in the words of the place where the messages of this process are read.

    Args:
        name: of the remedy, in ``REMEDIES``.
        values: for the names in braces.
    """
    words = REMEDIES[name]
    return (words.window if _place == "window" else words.command_line).format(**values)
