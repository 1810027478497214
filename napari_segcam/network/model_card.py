"""The model card: how to prepare a network's image and read its output, as a YAML file beside the checkpoint."""

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
from napari_segcam.errors import SegcamError, error_text, is_unprintable, printable
from napari_segcam.files import whole_file
from napari_segcam.network.settings_text import parse_yaml, read_text, refuse_unusual
from napari_segcam.remedies import remedy

CARD_SUFFIX = ".segcam.yaml"

USUAL_OVERLAP = 0.5
"""Overlap of tiles unless the card sets it: nnU-Net's."""

_MAX_PROBLEMS = 4  # that a message lists

# The statistics behind segmentation-models-pytorch's `get_preprocessing_params(..., "imagenet")`.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

STATISTICS: Mapping[str, Any] = {"mean": (), "std": (), "percentiles": (), "clip": None}
"""Fields that belong to one normalization, with their values where the card has another."""

Color = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]
Values = Annotated[
    tuple[Annotated[int, Field(ge=0)], ...],
    Field(min_length=1),
    BeforeValidator(lambda values: (values,) if isinstance(values, int) else values),
]
Pixel = Annotated[float, Field(ge=-NORMALIZATION, le=NORMALIZATION)]
Percent = Annotated[float, Field(ge=0, le=100)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def _printable_name(name: str) -> str:
    if not name.strip() or any(map(is_unprintable, name)):
        raise ValueError("it is empty or holds characters that cannot be printed")
    return name


def _printable_notes(notes: str) -> str:
    if any(is_unprintable(character) and character not in "\n\t" for character in notes):
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
    """How a frame of any size is brought to a size that the network accepts.

    ``pad``: pixels keep their size, and the bottom and right edges are padded to a multiple of the network's stride.
    ``resize``: stretched to ``height`` × ``width``, or to the nearest multiples of the stride if these are absent.
    ``letterbox``: resized to fit in ``height`` × ``width`` with the same aspect ratio, and the rest padded evenly.
    ``tiles``: pixels keep their size, and the network runs on tiles of ``height`` × ``width``. Neighbors share
    ``overlap`` of their side, by default half, and their outputs are blended. Smaller frames are padded to one tile.

    A frame whose pixels are not square is first enlarged along the pixels' longer side, so that the network sees its
    true shape. The exception is ``resize`` with a fixed ``height`` × ``width``, which stretches every frame anyway.
    """

    rule: Literal["pad", "resize", "letterbox", "tiles"] = "pad"
    height: int | None = Field(default=None, ge=8, le=INPUT_SIDE)
    width: int | None = Field(default=None, ge=8, le=INPUT_SIDE)
    overlap: float | None = Field(default=None, ge=0, le=0.9)

    @property
    def fixed(self) -> tuple[int, int] | None:
        """Height and width of every input of the network, which can be a tile; None if they depend on the frame."""
        return None if self.height is None or self.width is None else (self.height, self.width)

    @property
    def words(self) -> str:
        """The rule, for example ``"tiles of 512×512 with an overlap of 0.5"``."""
        if self.fixed is None:
            return self.rule
        size = f"{self.height}×{self.width}"
        if self.rule == "tiles":
            return f"tiles of {size} with an overlap of {self.tile_overlap:g}"
        return f"{self.rule} to {size}"

    @property
    def tile_overlap(self) -> float:
        """Part of a tile's side that it shares with its neighbor."""
        return USUAL_OVERLAP if self.overlap is None else self.overlap

    @model_validator(mode="after")
    def _check_sizes_and_rule(self) -> SizeRule:
        if (self.height is None) != (self.width is None):
            raise ValueError("give both height and width, or neither")
        if (self.height or 0) * (self.width or 0) > INPUT_PIXELS:
            raise ValueError(f"height × width may be at most {INPUT_PIXELS:,} pixels")
        if self.rule in ("letterbox", "tiles") and self.height is None:
            raise ValueError(f"the {self.rule} rule needs height and width")
        if self.overlap is not None and self.rule != "tiles":
            raise ValueError(f"overlap is for the tiles rule, not {self.rule}")
        if self.rule == "pad" and self.height is not None:
            raise ValueError("the pad rule takes no height and width: it keeps those of the frame")
        return self


class Verification(_CardPart):
    """A saved input and output that a network reproduced, and the largest difference."""

    input_sha256: Sha256
    output_sha256: Sha256
    largest_difference: float = Field(ge=0)
    tolerance: float = Field(gt=0)


class ModelCard(_CardPart):
    """What the weights alone do not say about a network.

    With one class, the output has a sigmoid with a cut at ``threshold``. With several, it has a softmax, and the first
    class is the background. With ``classes_overlap``, each class has a sigmoid with a cut at ``threshold``, and there
    is no background: for example an organ and the lesion in it.

    ``architecture``, ``encoder`` and ``options`` (further arguments of the architecture) are needed only if they
    cannot be recognized from the weights. ``structure`` is how a network of unknown names is built, as the user
    accepted it for the weights with the checksum ``sha256``; ``verified`` names the saved input and output that the
    network reproduced.

    ``input_channels`` is what the network takes, and ``size`` says how an image is fitted to it.

    The normalization works on pixels from 0 (black) to 1 (white): ``unit`` leaves them as they are, ``imagenet`` and
    ``custom`` subtract a ``mean`` and divide by a standard deviation, ``std``; ``zscore`` computes both from the image.
    ``none`` passes the stored values on. ``custom`` takes one number for all channels, or one for each. ``percentile``
    makes these two ``percentiles`` of the image's own pixels 0 and 1, or the darkest and brightest pixel if they are
    absent; a mean and standard deviation may follow. ``clip`` limits the pixels to this range before a mean is
    subtracted, and after the percentiles are applied.

    ``channel_order`` is that of a network with three channels: ``bgr`` if color images were read with OpenCV, which
    swaps red and blue. Gray images are the same in both orders. Means and standard deviations are in the order of the
    channels that the network sees, as training code applies them.

    ``output`` names the output to read if a network returns several: a key, a number, or several of these joined by
    dots. ``output_activation`` is the last operation of the network's forward, which is undone: ``sigmoid``,
    ``softmax``, their logarithms, ``tanh`` (from -1 to 1), or ``none`` for logits. Both are detected if absent.

    ``class_colors``, such as ``"#00e5ff"``, belong to ``class_names``, and so do ``class_values``: for each class, the
    numbers of its pixels in true masks, as in ``[[1, 2], 2]`` for an organ and the lesion in it. ``sha256`` is the
    checksum of the weights file. ``notes`` is free text.
    """

    architecture: Name | None = None
    encoder: Name | None = None
    options: Options = Field(default_factory=dict)
    structure: Options | None = None
    verified: Verification | None = None
    input_channels: int = Field(default=3, ge=1, le=INPUT_CHANNELS)
    size: SizeRule = SizeRule()
    channel_order: Literal["rgb", "bgr"] = "rgb"
    normalization: Literal["imagenet", "unit", "zscore", "percentile", "custom", "none"] = "imagenet"
    mean: tuple[Annotated[float, Field(ge=-NORMALIZATION, le=NORMALIZATION)], ...] = ()
    std: tuple[Annotated[float, Field(ge=1 / NORMALIZATION, le=NORMALIZATION)], ...] = ()
    percentiles: tuple[()] | tuple[Percent, Percent] = ()
    clip: tuple[Pixel, Pixel] | None = None
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
    def _rename_earlier_fields(cls, content: Any) -> Any:
        return present_fields(content, CARD_FIELDS) if isinstance(content, Mapping) else content

    @model_validator(mode="after")
    def _check_fields_together(self) -> ModelCard:
        counts = {len(self.mean), len(self.std)}
        if self.normalization == "custom":
            if not counts <= {1, self.input_channels}:
                raise ValueError(
                    "the custom normalization needs mean and std, each one number or one for each input channel "
                    f"({self.input_channels})"
                )
        elif self.normalization == "percentile":
            if not counts <= {0, 1, self.input_channels} or len(self.mean and (1,)) != len(self.std and (1,)):
                raise ValueError(
                    "after percentiles, mean and std are both absent, or one number or one for each channel"
                )
        elif counts != {0}:
            raise ValueError(f"mean and std are for normalization custom, not {self.normalization}")
        if self.percentiles and (self.normalization != "percentile" or self.percentiles[0] >= self.percentiles[1]):
            raise ValueError("percentiles are for normalization percentile: two numbers, the smaller one first")
        if self.clip is not None and self.clip[0] >= self.clip[1]:
            raise ValueError("clip takes two numbers, the smaller one first")
        for name, values in (("class_colors", self.class_colors), ("class_values", self.class_values)):
            if values and len(values) != len(self.class_names):
                raise ValueError(f"there are {len(values)} {name} for {len(self.class_names)} class_names")
        return self


def normalization_in_words(card: ModelCard) -> str:
    """Return the normalization of a card with its numbers, in a few words."""
    name: str = card.normalization
    if name == "percentile":
        name = "percentiles {:g} and {:g}".format(*card.percentiles) if card.percentiles else "darkest 0, brightest 1"
    parts = []
    if card.clip is not None:
        parts.append("limited to {:.4g} … {:.4g}".format(*card.clip))
    if card.mean:
        mean, std = (", ".join(f"{number:.4g}" for number in numbers) for numbers in (card.mean, card.std))
        parts.append(f"mean {mean}, std {std}")
    return ": ".join(filter(None, (name, ", ".join(parts))))


def card_path(checkpoint: Path) -> Path:
    """Return the path of a checkpoint's card: ``NAME.segcam.yaml`` beside the file, or in an SMP folder."""
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
        raise SegcamError(f"The model card {path} cannot be read: {error_text(error)}.") from error
    try:
        content = parse_yaml(text)
    except ValueError as error:
        raise SegcamError(f"The model card {path} is not valid YAML: {error}.") from error
    try:
        return ModelCard.model_validate(content or {})
    except ValidationError as error:
        raise SegcamError(f"The model card {path} has errors: {_describe_errors(error)}.") from error


def make_card(fields: Mapping[str, Any], base: ModelCard | None = None) -> ModelCard:
    """Return a card with these fields and the other fields of ``base``. Fields that neither sets stay unset.

    Raises:
        SegcamError: if a field is unknown or out of range.
    """
    base_fields = base.model_dump(exclude_unset=True) if base is not None else {}
    try:
        return ModelCard.model_validate(base_fields | dict(fields))
    except ValidationError as error:
        raise SegcamError(f"The model card would have errors: {_describe_errors(error)}.") from error


def find_card(checkpoint: Path) -> ModelCard | None:
    """Return the card beside a checkpoint, or None if there is none."""
    path = card_path(checkpoint)
    return read_card(path) if path.is_file() else None


def write_card(card: ModelCard, path: Path, *, force: bool = False, assumed: Mapping[str, str] | None = None) -> None:
    """Write a card as YAML: the fields that are set, and the assumptions as comments.

    Args:
        card: what to write.
        path: see ``card_path``.
        force: whether to replace an existing card.
        assumed: as ``Network.assumed``.

    Raises:
        SegcamError: if there is a card already, or the file cannot be written.
    """
    if path.exists() and not force:
        raise SegcamError(f"There is a model card already: {path}. {remedy('replace')}")
    content = card.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True) if content else ""
    if assumed:
        text += "# Assumptions. If one is wrong, set the field above, or under options if the card has no such field:\n"
        text += "".join(f"#   {printable(f'{name}: {value}')}\n" for name, value in assumed.items())
    with whole_file(path) as file:
        file.write_text(text, encoding="utf-8")


def _describe_errors(error: ValidationError) -> str:
    """Describe the errors of a card, field by field, in the user's words."""
    problems = error.errors(include_url=False)
    rest = f"; and {len(problems) - _MAX_PROBLEMS} more" if len(problems) > _MAX_PROBLEMS else ""
    return "; ".join(_describe_problem(problem) for problem in problems[:_MAX_PROBLEMS]) + rest


def _describe_problem(problem: Any) -> str:
    """Describe one of pydantic's errors. ``field`` has dots for nested fields, and is empty for the card itself."""
    field = ".".join(str(part)[:100] for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        fields = SizeRule.model_fields if field.startswith("size.") else ModelCard.model_fields
        close = get_close_matches(str(problem["loc"][-1])[:100], fields, n=1, cutoff=0.5)
        return f"there is no field {field}" + (f" (did you mean {close[0]}?)" if close else f": {', '.join(fields)}")
    if problem["type"] == "literal_error":
        return f"{field} is {_shorten(problem['input'])}, but may be {problem['ctx']['expected']}"
    if not field and problem["type"] == "model_type":
        return "a card consists of fields with values, such as threshold: 0.4"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "value_error" or not field:
        return f"{field}: {message}" if field else message
    return f"{field} is {_shorten(problem['input'])}: {message[:1].lower()}{message[1:]}"


def _shorten(value: object) -> str:
    """Return the repr of a value, cut if it is long."""
    text = f"a number of {value.bit_length()} bits" if isinstance(value, int) and abs(value) > 10**30 else repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
