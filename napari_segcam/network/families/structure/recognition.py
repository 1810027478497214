"""Read weights of unknown names by their shapes, offer what was read, and build what the user accepted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import torch
from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.network.checkpoints.checkpoint import Checkpoint
from napari_segcam.network.families.network_spec import NetworkSpec
from napari_segcam.network.families.structure.choices import CHOICE_NAMES, Choices, default_choices, open_choices
from napari_segcam.network.families.structure.layers import UnreadableError
from napari_segcam.network.families.structure.module import StructureNetwork
from napari_segcam.network.families.structure.offer import StructureCandidate, StructureOffer, StructureOffered
from napari_segcam.network.families.structure.parts import read_parts
from napari_segcam.network.families.structure.ranking import Tried, rank
from napari_segcam.network.families.structure.search import find_wirings
from napari_segcam.network.families.structure.statistics import has_statistics
from napari_segcam.network.families.structure.trial import build_module
from napari_segcam.network.families.structure.wiring import Wiring
from napari_segcam.network.model_card import ModelCard
from napari_segcam.network.reference_pair import Comparison, ReferencePair, compare

LIBRARY = "structure"

_CLOSE = 1.25  # disagreements whose ratio is smaller do not decide
_LEAST = 3e-4  # smaller disagreements are the same
_AGREES = 0.005  # a larger disagreement is either due to other images, or something else than the choices is wrong
_NEARLY_AGREES = 0.05
_SAME = 0.02  # of the tolerance: no other network can be closer
_MOST_WAYS = 800  # that are compared with a saved output


def structure_spec(checkpoint: Checkpoint) -> NetworkSpec | None:
    """Return how to build the network as its structure was read and accepted; None if it reads as no U-Net.

    Raises:
        StructureOffered: if it reads as a U-Net, but the user has accepted nothing yet.
        SegcamError: if there is no candidate of the accepted number, the card's structure is not that of the weights,
            or no candidate reproduces the saved output.
    """
    try:
        wirings = find_wirings(read_parts(checkpoint.weights))
    except UnreadableError:
        return None
    wirings = [wiring for wiring in wirings if set(wiring.joins) - {"no_skip"}]
    if not wirings:
        return None
    request = checkpoint.structure
    if request.settings is not None and request.pair is None and not request.accept:
        return _spec(*_from_settings(request.settings, wirings, checkpoint), request.settings)
    tried = rank(wirings, checkpoint.weights)
    if not tried or not set(tried[0].wiring.joins) - {"no_skip"}:  # an encoder and a decoder, but no U-Net
        return None
    tried = [result for result in tried if set(result.wiring.joins) - {"no_skip"}]
    if request.pair is not None:
        wiring, choices = _reproducing(tried, request.pair, checkpoint)
    elif request.accept:
        if request.accept > len(tried) or request.accept < 0:
            raise SegcamError(f"{checkpoint.path}: there is no structure number {request.accept}, only {len(tried)}.")
        chosen = tried[int(request.accept) - 1]
        wiring, choices = chosen.wiring, chosen.choices
    else:
        raise StructureOffered(checkpoint.path, make_offer(tried, has_statistics(checkpoint.weights)))
    return _spec(wiring, choices, _settings(wiring, choices))


def construct(spec: NetworkSpec) -> nn.Module:
    """Build the network without values of its weights.

    Raises:
        SegcamError: if an option has no such value.
    """
    wiring = spec.options["wiring"]
    values = {name: spec.options[name] for name in CHOICE_NAMES if name in spec.options}
    with torch.device("meta"):
        return StructureNetwork(wiring, Choices().with_values(values, wiring))


def make_offer(tried: Sequence[Tried], has_known_statistics: bool) -> StructureOffer:
    """Return the offer of networks that were tried, the best first."""
    best = tried[0]
    open_names = _open_choices(tried) if has_known_statistics else tuple(best.choices.as_dict(best.wiring))
    rivals = [other for other in tried if other.wiring.digest != best.wiring.digest and _is_close(other, best)]
    agrees = has_known_statistics and best.score <= _AGREES
    return StructureOffer(
        best.wiring.describe(),
        tuple(
            StructureCandidate(
                _settings(result.wiring, result.choices),
                _assumptions(result),
                _evidence(result, has_known_statistics),
                result.score if has_known_statistics else None,
            )
            for result in tried
        ),
        (*open_names, *(["wiring"] if rivals else [])),
        agrees and not open_names and not rivals,
    )


def _spec(wiring: Wiring, choices: Choices, settings: Mapping[str, Any]) -> NetworkSpec:
    values = choices.as_dict(wiring)
    return NetworkSpec(
        "U-Net",
        "",
        wiring.in_channels,
        wiring.classes,
        {**values, "wiring": wiring},
        {"structure": f"read from the shapes of the weights: {wiring.describe()}", **values},
        LIBRARY,
        card=ModelCard(input_channels=wiring.in_channels, structure=dict(settings)),
    )


def _settings(wiring: Wiring, choices: Choices) -> dict[str, str]:
    return {"wiring": wiring.digest, **choices.as_dict(wiring)}


def _assumptions(result: Tried) -> dict[str, str]:
    return {name: value.replace("_", " ") for name, value in result.choices.as_dict(result.wiring).items()}


def _evidence(result: Tried, has_known_statistics: bool) -> str:
    if not has_known_statistics:
        words = "The file holds no batch-norm statistics that could decide between structures"
        if "none" in open_choices(result.wiring).get("norm", ()) and result.choices.norm == "instance":
            words += ", nor weights that show whether there are norms: instance norms are assumed"
        return f"{words}."
    words = "agree with" if result.score <= _AGREES else "are close to"
    if result.score > _NEARLY_AGREES:
        words = "do not agree well with"
    text = (
        f"Its activations {words} the stored batch-norm statistics (squared distance {result.score:.2g}; 0 is equal, "
        "1 is unrelated)."
    )
    if _AGREES < result.score <= _NEARLY_AGREES:
        text += " That is no proof: a network that is connected in another way can be as close."
    return text


def _is_close(other: Tried, best: Tried) -> bool:
    return other.score + _LEAST <= _CLOSE * (best.score + _LEAST)


def _open_choices(tried: Sequence[Tried]) -> tuple[str, ...]:
    """Return the choices of which another value agrees with the statistics about as well."""
    best = tried[0]
    names: list[str] = []
    for other in tried[1:]:
        if other.wiring.digest != best.wiring.digest or not _is_close(other, best):
            continue
        values, others = best.choices.as_dict(best.wiring), other.choices.as_dict(other.wiring)
        changed = [name for name in values if values[name] != others[name]]
        same = {values.get("activation"), others.get("activation")} == {"relu", "leaky_relu_0.01"}
        if len(changed) == 1 and not (changed == ["activation"] and same):
            names += changed
    return tuple(dict.fromkeys(names))


def _from_settings(
    settings: Mapping[str, Any], wirings: Sequence[Wiring], checkpoint: Checkpoint
) -> tuple[Wiring, Choices]:
    wiring = next((wiring for wiring in wirings if wiring.digest == settings.get("wiring")), None)
    if wiring is None:
        raise SegcamError(
            f"{checkpoint.path}: the structure in the model card is not one that these weights can have. Remove the "
            "field structure from the card, and accept a structure again."
        )
    return wiring, default_choices(wiring).with_values(
        {name: value for name, value in settings.items() if name != "wiring"}, wiring
    )


def _reproducing(tried: Sequence[Tried], pair: ReferencePair, checkpoint: Checkpoint) -> tuple[Wiring, Choices]:
    """Return the network that reproduces a saved output.

    Raises:
        SegcamError: if none does; the message has the smallest difference.
    """
    best: tuple[Comparison, Wiring, Choices] | None = None
    count = 0
    for wiring, choices in _all_ways(tried):
        comparison = _compared(wiring, choices, pair, checkpoint)
        if comparison is None:
            continue
        count += 1
        if best is None or comparison.largest_difference < best[0].largest_difference:
            best = comparison, wiring, choices
        if comparison.largest_difference < _SAME * comparison.tolerance:
            break
    if best is not None and best[0].agrees:
        return best[1:]
    if best is None:
        raise SegcamError(
            f"{checkpoint.path}: the saved input or output does not fit {tried[0].wiring.describe()}: shapes differ."
        )
    values = best[2].as_dict(best[1])
    raise SegcamError(
        f"{checkpoint.path}: none of the {count} structures that were tried reproduces the saved output. The closest "
        f"differs by {best[0].largest_difference:.2g}, more than {best[0].tolerance:.2g}: "
        f"{', '.join(f'{name} {value}' for name, value in values.items())}."
    )


def _all_ways(tried: Sequence[Tried]) -> Iterator[tuple[Wiring, Choices]]:
    """Yield the networks that were tried, then those of the best wiring that differ from it in any of the choices."""
    yield from ((result.wiring, result.choices) for result in tried)
    done = {(result.wiring.digest, result.choices) for result in tried}
    best = tried[0]
    questions = open_choices(best.wiring)
    ways = [
        replace(best.choices, **dict(zip(questions, values, strict=True))) for values in product(*questions.values())
    ]
    ways.sort(key=lambda choices: sum(getattr(choices, name) != getattr(best.choices, name) for name in questions))
    for choices in ways[:_MOST_WAYS]:
        if (best.wiring.digest, choices) not in done:
            yield best.wiring, choices


def _compared(wiring: Wiring, choices: Choices, pair: ReferencePair, checkpoint: Checkpoint) -> Comparison | None:
    module = build_module(wiring, choices, checkpoint.weights)
    image = torch.from_numpy(pair.input[:1])
    if image.shape[1] != wiring.in_channels:
        return None
    first = replace(pair, input=pair.input[:1], output=pair.output[:1])
    with torch.no_grad():
        try:
            output = module(image)
            return compare(next(iter(output.values())) if isinstance(output, dict) else output, first)
        except (RuntimeError, SegcamError):
            return None
