"""Class pairs: which class of checkpoint A is compared with which class of checkpoint B."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from napari_segcam.errors import SegcamError
from napari_segcam.network.network import Network


@dataclass(frozen=True)
class ClassPair:
    """A class of A and the class of B that it is compared with.

    Attributes:
        index_a: output channel of A.
        index_b: output channel of B.
        name_a: of the class, as A calls it.
        name_b: of the class, as B calls it.
    """

    index_a: int
    index_b: int
    name_a: str
    name_b: str

    @property
    def name(self) -> str:
        """The name of both, or A's and B's if they differ."""
        return self.name_a if _key(self.name_a) == _key(self.name_b) else f"{self.name_a} / {self.name_b}"


@dataclass(frozen=True)
class PairedClasses:
    """The pairs, and sentences on how they were found and what was left out."""

    pairs: tuple[ClassPair, ...]
    notes: tuple[str, ...] = ()


def pair_classes(a: Network, b: Network, wanted: Sequence[str] = ()) -> PairedClasses:
    """Pair the classes of two networks, without the background.

    Classes of the same name are a pair, upper or lower case. If each network has a single class, these are a pair
    whatever their names. If neither model card names the classes and there are as many, their numbers pair them.

    Args:
        a: the first network.
        b: the second network.
        wanted: instead, what to compare: a name or number that both networks have, or ``NAME_A=NAME_B``.

    Raises:
        SegcamError: if a network gives no mask, or it is unclear which classes belong together.
    """
    for network, letter in ((a, "A"), (b, "B")):
        if not network.segments:
            raise SegcamError(
                f"Checkpoint {letter} ({network.name}) classifies the whole image: it gives no mask to compare."
            )
    if wanted:
        return PairedClasses(tuple(_wanted_pair(a, b, text.strip()) for text in wanted))
    classes_a, classes_b = _foreground(a), _foreground(b)
    if len(classes_a) == len(classes_b) == 1:
        pair = _pair(a, b, classes_a[0], classes_b[0])
        if _key(pair.name_a) == _key(pair.name_b):
            return PairedClasses((pair,))
        note = f"A calls its only class {pair.name_a} and B calls its own {pair.name_b}: they are compared."
        return PairedClasses((pair,), (note,))
    if not a.card.class_names and not b.card.class_names and len(classes_a) == len(classes_b):
        pairs = tuple(_pair(a, b, *both) for both in zip(classes_a, classes_b, strict=True))
        return PairedClasses(pairs, ("Neither model card names the classes: those of the same number are compared.",))
    by_name = {_key(b.class_names[index]): index for index in classes_b} if _both_named(a, b) else {}
    pairs = tuple(
        _pair(a, b, index, by_name[key]) for index in classes_a if (key := _key(a.class_names[index])) in by_name
    )
    if not pairs:
        raise SegcamError(
            f"It is unclear which classes to compare: A has {_listed(a)} and B has {_listed(b)}. Say which belong "
            f"together with --classes NAME_A=NAME_B, or name the classes in the model cards (class_names)."
        )
    return PairedClasses(pairs, _left_out(a, b, pairs))


def _both_named(a: Network, b: Network) -> bool:
    return bool(a.card.class_names and b.card.class_names)


def _foreground(network: Network) -> list[int]:
    return list(range(int(network.has_background), network.classes))


def _pair(a: Network, b: Network, index_a: int, index_b: int) -> ClassPair:
    return ClassPair(index_a, index_b, a.class_names[index_a], b.class_names[index_b])


def _wanted_pair(a: Network, b: Network, text: str) -> ClassPair:
    first, equals, second = (text, "", "") if text in (*a.class_names, *b.class_names) else text.partition("=")
    return _pair(a, b, _index(a, "A", first), _index(b, "B", second if equals else first))


def _index(network: Network, letter: str, text: str) -> int:
    text = text.strip()
    for index, name in enumerate(network.class_names):
        if _key(name) == _key(text):
            return index
    if text.isdigit() and int(text) < network.classes:
        return int(text)
    raise SegcamError(
        f"Checkpoint {letter} ({network.name}) has no class {text!r}: it has {_listed(network)}. Where the names "
        "differ, give NAME_A=NAME_B."
    )


def _left_out(a: Network, b: Network, pairs: Sequence[ClassPair]) -> tuple[str, ...]:
    notes = []
    for network, letter, paired in (
        (a, "A", {pair.index_a for pair in pairs}),
        (b, "B", {pair.index_b for pair in pairs}),
    ):
        others = [network.class_names[index] for index in _foreground(network) if index not in paired]
        if others:
            notes.append(f"Only {letter} has {', '.join(others)}: not compared.")
    return tuple(notes)


def _listed(network: Network) -> str:
    return ", ".join(network.class_names[index] for index in _foreground(network))


def _key(name: str) -> str:
    return " ".join(name.replace("_", " ").casefold().split())
