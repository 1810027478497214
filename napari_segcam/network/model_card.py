"""The model card: how a network is fed and what its outputs mean, as a YAML file beside the checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from napari_segcam.errors import SegcamError
from napari_segcam.files import whole_file

CARD_SUFFIX = ".segcam.yaml"

# The statistics behind segmentation-models-pytorch's `get_preprocessing_params(..., "imagenet")`.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class _CardPart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SizeRule(_CardPart):
    """How a frame of any size becomes one the network accepts.

    ``pad``: pixels keep their size, the bottom and right edges are padded to a multiple of the network's stride.
    ``resize``: stretched to ``height`` × ``width``, or to the nearest multiples of the stride where these are absent.
    ``letterbox``: resized into ``height`` × ``width`` with the aspect ratio kept, the rest padded evenly.
    """

    rule: Literal["pad", "resize", "letterbox"] = "pad"
    height: int | None = Field(default=None, ge=8)
    width: int | None = Field(default=None, ge=8)

    @model_validator(mode="after")
    def _sizes_go_with_the_rule(self) -> SizeRule:
        if (self.height is None) != (self.width is None):
            raise ValueError("give both height and width, or neither")
        if self.rule == "letterbox" and self.height is None:
            raise ValueError("the letterbox rule needs height and width")
        if self.rule == "pad" and self.height is not None:
            raise ValueError("the pad rule takes no height and width: it keeps the frame's own")
        return self


class ModelCard(_CardPart):
    """What the weights alone do not say.

    With one class the output is a sigmoid cut at ``threshold``; with several it is a softmax whose first class is the
    background. ``architecture`` and ``encoder`` need to be given only where they cannot be recognised from the weights.
    """

    architecture: str | None = None
    encoder: str | None = None
    input_channels: int = Field(default=3, ge=1)
    size: SizeRule = SizeRule()
    normalisation: Literal["imagenet", "unit", "zscore", "none"] = "imagenet"
    class_names: tuple[str, ...] = ()
    threshold: float = Field(default=0.5, gt=0.0, lt=1.0)
    notes: str = ""


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
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return ModelCard.model_validate(content or {})
    except (OSError, UnicodeDecodeError) as error:
        raise SegcamError(f"The model card {path} cannot be read: {error}.") from error
    except yaml.YAMLError as error:
        raise SegcamError(f"The model card {path} is not valid YAML: {' '.join(str(error).split())}.") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'card'}: {e['msg']}" for e in error.errors())
        raise SegcamError(f"The model card {path} is not right: {faults}.") from error


def find_card(checkpoint: Path) -> ModelCard | None:
    """The card beside a checkpoint, or None where there is none."""
    path = card_path(checkpoint)
    return read_card(path) if path.is_file() else None


def write_card(card: ModelCard, path: Path) -> None:
    """Write a card as YAML, leaving out what stands at its default."""
    content = card.model_dump(mode="json", exclude_defaults=True)
    with whole_file(path) as file:
        file.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
