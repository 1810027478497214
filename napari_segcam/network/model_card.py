"""The model card: how a network is fed and what its outputs mean, as a YAML file beside the checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from napari_segcam.budget import CARD_BYTES, INPUT_CHANNELS, INPUT_PIXELS, INPUT_SIDE, NORMALIZATION
from napari_segcam.deprecated import CARD_FIELDS, present_fields
from napari_segcam.errors import SegcamError, is_unprintable, printable
from napari_segcam.files import whole_file
from napari_segcam.network.settings_text import parse_yaml, read_text, refuse_unusual

CARD_SUFFIX = ".segcam.yaml"

_MOST_FAULTS = 4

# The statistics behind segmentation-models-pytorch's `get_preprocessing_params(..., "imagenet")`.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

Color = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]
Values = Annotated[
    tuple[Annotated[int, Field(ge=0)], ...],
    Field(min_length=1),
    BeforeValidator(lambda given: (given,) if isinstance(given, int) else given),
]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def _printable_name(name: str) -> str:
    if not name.strip() or any(map(is_unprintable, name)):
        raise ValueError("it is empty or holds characters that cannot be printed")
    return name


def _printable_notes(notes: str) -> str:
    if any(is_unprintable(letter) and letter not in "\n\t" for letter in notes):
        raise ValueError("it holds characters that cannot be printed")
    return notes


def _usual_options(options: Mapping[str, Any]) -> Mapping[str, Any]:
    refuse_unusual(options, "it")
    return options


Name = Annotated[str, StringConstraints(max_length=200), AfterValidator(_printable_name)]
Notes = Annotated[str, StringConstraints(max_length=20_000), AfterValidator(_printable_notes)]
Options = Annotated[Mapping[str, Any], AfterValidator(_usual_options)]


class _CardPart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SizeRule(_CardPart):
    """How a frame of any size becomes one the network accepts.

    ``pad``: pixels keep their size, the bottom and right edges are padded to a multiple of the network's stride.
    ``resize``: stretched to ``height`` × ``width``, or to the nearest multiples of the stride where these are absent.
    ``letterbox``: resized into ``height`` × ``width`` with the aspect ratio kept, the rest padded evenly.

    A frame whose pixels are not square is enlarged along their longer side first, so that the network sees its true
    shape. Only a fixed ``height`` × ``width`` to which all is stretched leaves no room for it.
    """

    rule: Literal["pad", "resize", "letterbox"] = "pad"
    height: int | None = Field(default=None, ge=8, le=INPUT_SIDE)
    width: int | None = Field(default=None, ge=8, le=INPUT_SIDE)

    @property
    def fixed(self) -> tuple[int, int] | None:
        """Height and width that every frame is brought to; None where they depend on the frame."""
        return None if self.height is None or self.width is None else (self.height, self.width)

    @model_validator(mode="after")
    def _sizes_go_with_the_rule(self) -> SizeRule:
        if (self.height is None) != (self.width is None):
            raise ValueError("give both height and width, or neither")
        if (self.height or 0) * (self.width or 0) > INPUT_PIXELS:
            raise ValueError(f"height × width may be as large as {INPUT_PIXELS:,} pixels")
        if self.rule == "letterbox" and self.height is None:
            raise ValueError("the letterbox rule needs height and width")
        if self.rule == "pad" and self.height is not None:
            raise ValueError("the pad rule takes no height and width: it keeps the frame's own")
        return self


class ModelCard(_CardPart):
    """What the weights alone do not say.

    With one class the output is a sigmoid cut at ``threshold``; with several it is a softmax whose first class is the
    background, or where ``classes_overlap`` a sigmoid for each, all cut at ``threshold``, and no background: an organ
    and the lesion in it.

    ``architecture``, ``encoder`` and ``options`` (further arguments of the architecture) need to be given only where
    they cannot be recognized from the weights.

    The normalization works on pixels from 0 (black) to 1 (white): ``unit`` leaves them so, ``imagenet`` and ``custom``
    subtract a mean and divide by a standard deviation, ``zscore`` takes these from the image itself; ``none`` passes
    the stored values on. The numbers of ``custom`` are one for all channels or one for each.

    ``output`` names the output that is read, of a network that returns several: a key, a number, or several of these
    with dots between. ``output_activation`` is what the network's own forward ends in, which is undone: ``sigmoid``,
    ``softmax``, their logarithms, ``tanh`` (from -1 to 1), or ``none`` for logits. Both are found out where absent.

    ``class_colors``, such as ``"#00e5ff"``, go with ``class_names``, and so do ``class_values``: of each class the
    numbers that its pixels have in true masks, as in ``[[1, 2], 2]`` for an organ and the lesion in it. ``sha256`` is
    that of the weights file.
    """

    architecture: Name | None = None
    encoder: Name | None = None
    options: Options = Field(default_factory=dict)
    input_channels: int = Field(default=3, ge=1, le=INPUT_CHANNELS)
    size: SizeRule = SizeRule()
    normalization: Literal["imagenet", "unit", "zscore", "custom", "none"] = "imagenet"
    mean: tuple[Annotated[float, Field(ge=-NORMALIZATION, le=NORMALIZATION)], ...] = ()
    std: tuple[Annotated[float, Field(ge=1 / NORMALIZATION, le=NORMALIZATION)], ...] = ()
    class_names: tuple[Name, ...] = ()
    class_colors: tuple[Color, ...] = ()
    class_values: tuple[Values, ...] = ()
    classes_overlap: bool = False
    threshold: float = Field(default=0.5, gt=0.0, lt=1.0)
    output: Name | None = None
    output_activation: Literal["none", "sigmoid", "softmax", "log_sigmoid", "log_softmax", "tanh"] | None = None
    notes: Notes = ""
    sha256: Sha256 | None = None

    @model_validator(mode="before")
    @classmethod
    def _earlier_names(cls, content: Any) -> Any:
        return present_fields(content, CARD_FIELDS) if isinstance(content, Mapping) else content

    @model_validator(mode="after")
    def _fields_go_together(self) -> ModelCard:
        numbers = {len(self.mean), len(self.std)}
        if self.normalization == "custom":
            if not numbers <= {1, self.input_channels}:
                raise ValueError(
                    "the custom normalization needs mean and std, each one number or one for each input channel "
                    f"({self.input_channels})"
                )
        elif numbers != {0}:
            raise ValueError(f"mean and std go with normalization custom, not {self.normalization}")
        for name, of_each in (("class_colors", self.class_colors), ("class_values", self.class_values)):
            if of_each and len(of_each) != len(self.class_names):
                raise ValueError(f"there are {len(of_each)} {name} for {len(self.class_names)} class_names")
        return self


def card_path(checkpoint: Path) -> Path:
    """Where the card of a checkpoint lies: ``NAME.segcam.yaml`` beside the file, or inside an SMP folder."""
    if checkpoint.is_dir():
        return checkpoint / f"model{CARD_SUFFIX}"
    return checkpoint.with_name(checkpoint.stem + CARD_SUFFIX)


def read_card(path: Path) -> ModelCard:
    """Read and check a model card.

    Raises:
        SegcamError: if the file cannot be read, is not YAML, or a field is unknown or out of range.
    """
    try:
        text = read_text(path, CARD_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        raise SegcamError(f"The model card {path} cannot be read: {error}.") from error
    try:
        content = parse_yaml(text)
    except ValueError as error:
        raise SegcamError(f"The model card {path} is not valid YAML: {error}.") from error
    try:
        return ModelCard.model_validate(content or {})
    except ValidationError as error:
        raise SegcamError(f"The model card {path} is not right: {_faults(error)}.") from error


def make_card(fields: Mapping[str, Any], base: ModelCard | None = None) -> ModelCard:
    """A card with these fields; all others are as in ``base``, and count as not given where they do not there either.

    Raises:
        SegcamError: if a field is unknown or out of range.
    """
    kept = base.model_dump(exclude_unset=True) if base is not None else {}
    try:
        return ModelCard.model_validate(kept | dict(fields))
    except ValidationError as error:
        raise SegcamError(f"The model card would not be right: {_faults(error)}.") from error


def find_card(checkpoint: Path) -> ModelCard | None:
    """The card beside a checkpoint, or None where there is none."""
    path = card_path(checkpoint)
    return read_card(path) if path.is_file() else None


def write_card(card: ModelCard, path: Path, *, force: bool = False, assumed: Mapping[str, str] | None = None) -> None:
    """Write a card as YAML: the fields that were given, and as comments what is assumed.

    Args:
        card: what to write.
        path: see ``card_path``.
        force: whether to put it in the place of a card that is there.
        assumed: as ``Network.assumed``.

    Raises:
        SegcamError: if there is a card already, or the file cannot be written.
    """
    if path.exists() and not force:
        raise SegcamError(f"There is a model card already: {path}. To replace it, ask for that (--force).")
    content = card.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True) if content else ""
    if assumed:
        text += (
            "# Assumed, since nothing tells. What is wrong, set above; what is no field of its own, under options:\n"
        )
        text += "".join(f"#   {printable(f'{name}: {value}')}\n" for name, value in assumed.items())
    with whole_file(path) as file:
        file.write_text(text, encoding="utf-8")


def _faults(error: ValidationError) -> str:
    """What is wrong with a card, field by field, in the user's words."""
    faults = error.errors(include_url=False)
    more = f"; and {len(faults) - _MOST_FAULTS} more" if len(faults) > _MOST_FAULTS else ""
    return "; ".join(_fault(fault) for fault in faults[:_MOST_FAULTS]) + more


def _fault(fault: Any) -> str:
    where = ".".join(str(part)[:100] for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        fields = SizeRule.model_fields if where.startswith("size.") else ModelCard.model_fields
        close = get_close_matches(str(fault["loc"][-1])[:100], fields, n=1, cutoff=0.5)
        return f"there is no field {where}" + (f" (did you mean {close[0]}?)" if close else f": {', '.join(fields)}")
    if fault["type"] == "literal_error":
        return f"{where} is {_short(fault['input'])}, but may be {fault['ctx']['expected']}"
    if not where and fault["type"] == "model_type":
        return "fields with their values are wanted, such as threshold: 0.4"
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "value_error" or not where:
        return f"{where}: {message}" if where else message
    return f"{where} is {_short(fault['input'])}: {message[:1].lower()}{message[1:]}"


def _short(value: object) -> str:
    """A value as Python writes it; of a long one the beginning."""
    text = f"a number of {value.bit_length()} bits" if isinstance(value, int) and abs(value) > 10**30 else repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
