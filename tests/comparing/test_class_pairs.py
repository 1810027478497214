"""Which classes are compared: by name, the only ones, as asked for, or refused."""

from __future__ import annotations

import pytest
from bright_networks import network

import napari_segcam as sc
from napari_segcam.comparing.class_pairs import pair_classes

THREE = ("background", "cyst", "fibroid")


def indices(a: sc.Network, b: sc.Network, wanted: tuple[str, ...] = ()) -> list[tuple[int, int]]:
    return [(pair.index_a, pair.index_b) for pair in pair_classes(a, b, wanted).pairs]


def test_classes_of_the_same_name_are_a_pair_in_any_order() -> None:
    a, b = network(classes=3, names=THREE), network(classes=3, names=("background", "Fibroid", "cyst"))
    assert indices(a, b) == [(1, 2), (2, 1)]


def test_what_only_one_has_is_left_out_and_said() -> None:
    a, b = network(classes=3, names=THREE), network(names=("fibroid",))
    paired = pair_classes(a, b)
    assert [(pair.index_a, pair.index_b, pair.name) for pair in paired.pairs] == [(2, 0, "fibroid")]
    assert paired.notes == ("Only A has cyst: not compared.",)


def test_the_only_classes_are_a_pair_whatever_their_names() -> None:
    paired = pair_classes(network(names=("tumor",)), network(classes=2, names=("background", "lesion")))
    assert [(pair.index_a, pair.index_b, pair.name) for pair in paired.pairs] == [(0, 1, "tumor / lesion")]
    assert "A calls its only class tumor and B calls its own lesion" in paired.notes[0]


def test_numbers_pair_classes_only_where_neither_card_names_them() -> None:
    unnamed = network(classes=3, names=())
    assert indices(unnamed, network(classes=3, names=())) == [(1, 1), (2, 2)]
    for other in (network(classes=3, names=THREE), network(classes=4, names=())):
        with pytest.raises(sc.SegcamError, match="--classes NAME_A=NAME_B"):
            pair_classes(unnamed, other)


def test_pairs_can_be_asked_for() -> None:
    a, b = network(classes=3, names=THREE), network(classes=3, names=("background", "myoma", "cyst"))
    assert indices(a, b, ("fibroid=myoma", "cyst")) == [(2, 1), (1, 2)]
    assert indices(a, b, ("2=1",)) == [(2, 1)]
    with pytest.raises(sc.SegcamError, match=r"Checkpoint B \(Bright\) has no class 'fibroid': it has myoma, cyst"):
        pair_classes(a, b, ("fibroid",))
