"""Questions about a network that its file does not answer: what is assumed, what else it could be, and how to say so.

The Checkpoint widget and ``napari-segcam inspect`` ask the same questions in these words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_segcam.network.model_card import STATISTICS, normalization_in_words

if TYPE_CHECKING:  # it imports torch
    from napari_segcam.network.network import Network

NORMALIZATIONS = (
    ("ImageNet", {"normalization": "imagenet"}, "--normalization imagenet"),
    ("0 to 1", {"normalization": "unit"}, "--normalization unit"),
    (
        "−1 to 1",
        {"normalization": "custom", "mean": (0.5,), "std": (0.5,)},
        "--normalization custom --mean 0.5 --std 0.5",
    ),
    ("Z-score", {"normalization": "zscore"}, "--normalization zscore"),
    ("Darkest to brightest", {"normalization": "percentile"}, "--normalization percentile"),
    ("0 to 255", {"normalization": "none"}, "--normalization none"),
)
"""Label, card fields and options of ``inspect`` of each usual normalization."""

ACTIVATIONS = (
    ("None (logits)", "none"),
    ("Sigmoid", "sigmoid"),
    ("Softmax", "softmax"),
    ("Log-sigmoid", "log_sigmoid"),
    ("Log-softmax", "log_softmax"),
    ("Tanh (−1 to 1)", "tanh"),
)
"""Label and card value of each activation that a network may end in."""

_BY_STRUCTURE = "--accept-structure NUMBER, for another candidate; --check INPUT OUTPUT proves it"
_USUAL_SIZES = (("resize", 256), ("resize", 512), ("letterbox", 512), ("tiles", 512))
_MOST_OUTPUTS = 8


@dataclass(frozen=True)
class Option:
    """One possible answer.

    Attributes:
        label: in a few words.
        fields: of the model card that this answer sets.
        flag: options of ``inspect`` that give the same answer; empty if only the card can.
    """

    label: str
    fields: Mapping[str, Any]
    flag: str = ""


@dataclass(frozen=True)
class Question:
    """A question about a network that its file does not answer.

    Attributes:
        name: field of the model card, or option of the architecture.
        title: in one or two words.
        words: the question.
        used: what is used now, in words.
        options: the usual answers; empty if the answer is typed.
        current: index of the option in use; None if it is not among them.
        is_open: whether what is used is an assumption.
        how: how to answer on the command line or in the card.
    """

    name: str
    title: str
    words: str
    used: str
    options: tuple[Option, ...]
    current: int | None
    is_open: bool
    how: str

    @property
    def status(self) -> str:
        """What is used, and whether that is assumed, in words."""
        return f"assumed: {self.used}" if self.is_open else self.used


def questions_of(network: Network) -> tuple[Question, ...]:
    """Return the questions about a network, those first that change its masks most.

    A question is open while the file, its model card and the user do not answer it. Answered ones are returned too, so
    that an answer can be changed; but not what the file itself decides.
    """
    return tuple(_questions(network))


def open_questions(network: Network) -> tuple[Question, ...]:
    """Return the questions about a network that have no answer yet."""
    return tuple(question for question in questions_of(network) if question.is_open)


def _questions(network: Network) -> Iterator[Question]:
    assumed = dict(network.assumed)
    yield from _output(network, assumed.pop("output", None))
    yield from _activation(network, assumed.pop("output_activation", None))
    yield from _overlap(network, assumed.pop("classes_overlap", None))
    yield _normalization(network, assumed.pop("normalization", None))
    yield from _size(network, assumed.pop("size", None))
    yield from _channel_order(network)
    yield from _class_names(network)
    built_by_structure = network.card.structure is not None
    for name, value in assumed.items():
        yield Question(
            name,
            name.replace("_", " ").capitalize(),
            "The weights do not show this setting of the architecture.",
            value,
            (),
            None,
            is_open=True,
            how=_BY_STRUCTURE if built_by_structure else f"--option {name}=VALUE, or options in the model card",
        )


def _output(network: Network, assumed: str | None) -> Iterator[Question]:
    output = network.output
    if len(output.choices) < 2:
        return
    names = (output.name, *(name for name in output.choices if name != output.name))[:_MOST_OUTPUTS]
    names = tuple(sorted(names, key=output.choices.index))
    yield Question(
        "output",
        "Output",
        f"The network returns {len(output.choices)} outputs. Which one is the segmentation?{_because(assumed)}",
        output.name,
        tuple(Option(name, {"output": name}, f"--output {name}") for name in names),
        names.index(output.name),
        is_open=assumed is not None,
        how="--output NAME, or output in the model card",
    )


def _activation(network: Network, assumed: str | None) -> Iterator[Question]:
    if assumed is None and network.card.output_activation is None:
        return
    values = [value for _, value in ACTIVATIONS]
    yield Question(
        "output_activation",
        "Activation",
        f"What does the network end in? It is undone, because masks and heatmaps need logits.{_because(assumed)}",
        _label_of(ACTIVATIONS, network.output.activation),
        tuple(
            Option(label, {"output_activation": value}, f"--output-activation {value}") for label, value in ACTIVATIONS
        ),
        values.index(network.output.activation),
        is_open=assumed is not None,
        how="--output-activation NAME, or output_activation in the model card",
    )


def _overlap(network: Network, assumed: str | None) -> Iterator[Question]:
    if network.classes < 2 or network.output.final_activation is not None:
        return  # the network's own softmax or sigmoid decides
    background = "; the first is the background" if network.segments else ""
    options = (
        Option(f"No{background}", {"classes_overlap": False}, "--classes-exclusive"),
        Option("Yes: each has its own mask", {"classes_overlap": True}, "--classes-overlap"),
    )
    if not network.segments:
        options = (options[0], Option("Yes", {"classes_overlap": True}, "--classes-overlap"))
    yield Question(
        "classes_overlap",
        "Classes",
        "Can a pixel have several classes?" if network.segments else "Can an image have several classes?",
        options[int(network.classes_overlap)].label,
        options,
        int(network.classes_overlap),
        is_open=assumed is not None,
        how="--classes-overlap or --classes-exclusive, or classes_overlap in the model card",
    )


def _normalization(network: Network, assumed: str | None) -> Question:
    card = network.card
    fields: dict[str, Any] = {"normalization": card.normalization}
    fields |= {name: getattr(card, name) for name in STATISTICS if getattr(card, name)}
    options = [Option(label, set_fields, flag) for label, set_fields, flag in NORMALIZATIONS]
    current = next((index for index, option in enumerate(options) if _same(option.fields, fields)), None)
    if current is None:
        words = normalization_in_words(card).removeprefix("custom: ")
        options.append(Option(words[:1].upper() + words[1:], fields))
        current = len(options) - 1
    return Question(
        "normalization",
        "Normalization",
        "How were pixel values scaled in training?",
        options[current].label,
        tuple(options),
        current,
        is_open=assumed is not None,
        how="--normalization NAME, or normalization in the model card",
    )


def _size(network: Network, assumed: str | None) -> Iterator[Question]:
    size = network.card.size
    is_set = "size" in network.card.model_fields_set
    options = list(_size_options(network))
    fields = {"size": size.model_dump(exclude_none=True)}
    current = next((index for index, option in enumerate(options) if option.fields == fields), None)
    if current is None:
        options.append(Option(size_in_words(size.rule, size.fixed), fields))
        current = len(options) - 1
    yield Question(
        "size",
        "Size",
        "How was a frame brought to the network's size in training?",
        options[current].label,
        tuple(options),
        current,
        is_open=assumed is not None or not is_set,
        how="--size-rule NAME and --image-size PIXELS, or --tiles PIXELS, or size in the model card",
    )


def _size_options(network: Network) -> Iterator[Option]:
    """Yield the usual size rules that the network accepts: a file may fix the size of its input."""
    stride = network.stride
    fixed: tuple[int, int] | None = getattr(network.module, "image_size", None)
    if fixed is not None:
        yield from (_sized(rule, fixed) for rule in ("resize", "letterbox", "tiles"))
        return
    yield Option(size_in_words("pad", None), {"size": {"rule": "pad"}}, "--size-rule pad")
    for rule, side in _USUAL_SIZES:
        if side % stride == 0:
            yield _sized(rule, (side, side))


def _sized(rule: str, shape: tuple[int, int]) -> Option:
    height, width = shape
    flag = f"--tiles {height}" if rule == "tiles" else f"--size-rule {rule} --image-size {height}"
    fields = {"size": {"rule": rule, "height": height, "width": width}}
    return Option(size_in_words(rule, shape), fields, flag if height == width else "")


def size_in_words(rule: str, fixed: tuple[int, int] | None) -> str:
    """Return a size rule in a few words; ``fixed`` is the height and width if every frame gets the same."""
    names = {"pad": "As it is, padded", "resize": "Resized", "letterbox": "Letterboxed", "tiles": "In tiles of"}
    words = names.get(rule, rule.capitalize())
    if fixed is None:
        return words
    return f"{words} {'' if rule == 'tiles' else 'to '}{fixed[0]}×{fixed[1]}"


def _channel_order(network: Network) -> Iterator[Question]:
    card = network.card
    if card.input_channels != 3:
        return
    options = (
        Option("RGB", {"channel_order": "rgb"}, "--channel-order rgb"),
        Option("BGR (OpenCV)", {"channel_order": "bgr"}, "--channel-order bgr"),
    )
    yield Question(
        "channel_order",
        "Channel order",
        "In which order does the network take the colors? Gray frames are the same in both.",
        options[("rgb", "bgr").index(card.channel_order)].label,
        options,
        ("rgb", "bgr").index(card.channel_order),
        is_open="channel_order" not in card.model_fields_set,
        how="--channel-order NAME, or channel_order in the model card",
    )


def _class_names(network: Network) -> Iterator[Question]:
    names = network.class_names
    yield Question(
        "class_names",
        "Class names",
        "What are the classes called?" if len(names) > 1 else "What is the class called?",
        ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else ""),
        (),
        None,
        is_open=not network.card.class_names,
        how="--class-name NAME for each class, or class_names in the model card",
    )


def _because(assumed: str | None) -> str:
    """Return the evidence for an assumption as a further sentence."""
    return f" Assumed: {assumed}." if assumed else ""


def _same(fields: Mapping[str, Any], others: Mapping[str, Any]) -> bool:
    return {name: _plain(value) for name, value in fields.items()} == {
        name: _plain(value) for name, value in others.items()
    }


def _plain(value: Any) -> Any:
    """One number for all channels is the same as that number for each."""
    return tuple(sorted(set(value))) if isinstance(value, tuple) and len(set(value)) == 1 else value


def _label_of(choices: Sequence[tuple[str, Any]], value: Any) -> str:
    return next((label for label, offered in choices if offered == value), str(value))
