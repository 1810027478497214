"""Find how the parts of a network can be connected, from their channels, their order in the file and their names.

The search goes from the image to the last part, step by step, and always continues the cheapest wiring so far. A step
costs something if it is unusual: a part out of the file's order, a pooling inside a block, a level without a skip.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from napari_segcam.network.families.structure.layers import Form, common_length
from napari_segcam.network.families.structure.parts import Part
from napari_segcam.network.families.structure.search_state import State, change_of_kind, role_of
from napari_segcam.network.families.structure.wiring import Step, StepKind, Wiring

_MOST_EXPANSIONS = 20_000
_MOST_FURTHER_EXPANSIONS = 5_000  # once a wiring was found
_MOST_VISITS = 3
_PROGRESS = 0.15  # what a part that was run is worth: without it, the search would visit far more wirings
_MARGIN = 2.5  # wirings that cost so much more than the cheapest are not of interest
_ENOUGH = 3  # times as many wirings as are wanted are compared
_MOST_LEVELS = 8
_MOST_CLASSES = 256
_MOST_IMAGE_CHANNELS = 16


def find_wirings(parts: Sequence[Part], most: int = 4) -> list[Wiring]:
    """Return the wirings of these parts with an encoder and a decoder, the cheapest first.

    Args:
        parts: in the order of the file.
        most: how many.
    """
    search = _Search(tuple(parts))
    return search.run(most, _PROGRESS) or search.run(most, 3 * _PROGRESS)


class _Search:
    def __init__(self, parts: tuple[Part, ...]) -> None:
        self._parts = parts
        self._all = (1 << len(parts)) - 1
        self._takers: dict[int, list[tuple[int, Form]]] = {}
        for index, part in enumerate(parts):
            if part.kind in ("unit", "residual", "excitation"):
                for form in part.forms:
                    self._takers.setdefault(form.inputs, []).append((index, form))
        self._sizes: Counter[tuple[str, ...]] = Counter()
        for part in parts:
            for length in range(len(part.tokens) + 1):
                self._sizes[part.tokens[:length]] += part.size
        self._roles = [role_of(part.tokens) for part in parts]
        self._lists = {
            before.tokens[: common_length(before.tokens, after.tokens)]
            for before, after in pairwise(parts)
            if self._is_boundary(before.tokens, after.tokens)
        }
        self._gates = [index for index, part in enumerate(parts) if part.kind == "gate"]

    def run(self, most: int, progress: float) -> list[Wiring]:
        found: list[Wiring] = []
        visits: Counter[tuple[object, ...]] = Counter()
        tie = 0
        queue: list[tuple[float, int, float, State]] = []
        for cost, state in self._starts():
            tie += 1
            heapq.heappush(queue, (cost, tie, cost, state))
        digests: set[str] = set()
        left = _MOST_EXPANSIONS
        while left > 0:
            left -= 1
            if not queue or len(found) >= _ENOUGH * most:
                break
            _, _, cost, state = heapq.heappop(queue)
            if found and cost > min(wiring.cost for wiring in found) + _MARGIN:
                continue
            visits[state.key] += 1
            if visits[state.key] > _MOST_VISITS:
                continue
            wiring = self._finished(state, cost)
            if wiring is not None:
                if wiring.digest not in digests:
                    digests.add(wiring.digest)
                    left = min(left, _MOST_FURTHER_EXPANSIONS)
                    found.append(wiring)
                if not wiring.further_heads:
                    continue
            for extra, following in self._next(state):
                tie += 1
                priority = cost + extra - progress * following.used.bit_count()
                heapq.heappush(queue, (priority, tie, cost + extra, following))
        found = sorted(found, key=lambda wiring: wiring.cost)[:most]
        return [wiring for wiring in found if wiring.cost <= found[0].cost + _MARGIN]

    def _starts(self) -> Iterator[tuple[float, State]]:
        starts = [
            (index, form)
            for index, part in enumerate(self._parts)
            if part.kind in ("unit", "residual")
            for form in part.forms
            if form.operation != "transposed" and form.inputs <= _MOST_IMAGE_CHANNELS
        ]
        made = {form.outputs for part in self._parts for form in part.forms}
        for index, form in starts:
            cost = 0.6 * (index > 0) + 0.3 * (form.inputs in made and form.inputs > 4)
            cost += 0.2 * (form.operation == "convolution" and len(self._parts[index].forms) > 1)
            empty = State(0, form.inputs, (), False, False, 0, -1, (), ())
            if self._parts[index].kernel in (2, 4):  # the first convolution halves the image
                empty = replace(empty, skips=(0,), steps=(Step("pool"),))
            yield cost, self._ran(empty, index, form, "part")

    def _ran(self, state: State, index: int, form: Form, kind: StepKind) -> State:
        channels = state.channels if self._parts[index].kind == "excitation" else form.outputs
        steps = (*state.steps, Step(kind, index, form))
        return replace(
            state,
            used=state.used | 1 << index,
            channels=channels,
            last=index,
            since_pool=state.since_pool + 1,
            steps=steps,
            outputs=(*state.outputs, (channels, len(steps) - 1)),
        )

    def _unused(self, state: State, channels: int) -> Iterator[tuple[int, Form]]:
        for index, form in self._takers.get(channels, ()):
            if not state.used >> index & 1:
                yield index, form

    def _jump(self, state: State, index: int) -> float:
        """Return what it costs to run a part next: nothing if it is the next one in the file."""
        following = state.last + 1
        if index == following:
            return 0.0
        if (
            following < len(self._parts)
            and not state.used >> following & 1
            and self._is_one_block(state.last, following)
        ):
            return 1.0 + self._jump(replace(state, last=following), index)
        while state.used >> following & 1:
            following += 1
        if index == following:
            return 0.0
        if index and state.used >> (index - 1) & 1:  # the next one in its list
            return 0.15
        before = self._parts[index - 1].tokens if index else ()
        return 0.4 if index == 0 or self._is_boundary(before, self._parts[index].tokens) else 1.6

    def _is_boundary(self, first: tuple[str, ...], second: tuple[str, ...]) -> bool:
        """Whether two parts that follow each other belong to different blocks, of which one has several layers."""
        length = common_length(first, second)
        return self._sizes[first[: length + 1]] > 1 or self._sizes[second[: length + 1]] > 1

    def _is_one_block(self, first: int, second: int) -> bool:
        """Whether two parts that follow each other belong to one block, and not to a list of blocks of one layer."""
        if first < 0:
            return False
        outputs = (self._parts[first].forms[0].outputs, self._parts[second].forms[0].outputs)
        if self._roles[first] == self._roles[second] and outputs[0] != outputs[1]:
            return False
        return not self._is_boundary(self._parts[first].tokens, self._parts[second].tokens)

    def _depth(self, first: int, second: int) -> int:
        """Return how many lists of blocks are around the one in which two parts follow each other."""
        tokens = self._parts[first].tokens
        shared = common_length(tokens, self._parts[second].tokens)
        return sum(tokens[:length] in self._lists for length in range(shared))

    def _change_ofrole_of(self, state: State, index: int) -> float:
        """Return what it costs to enlarge with a part, if those of its name in other blocks are used otherwise."""
        role = self._roles[index]
        kinds = {step.kind for step in state.steps if step.part is not None and self._roles[step.part] == role}
        return 0.7 if kinds == {"part"} else 0.0

    def _next(self, state: State) -> Iterator[tuple[float, State]]:
        if state.is_joining:
            yield from self._joined(state)
            return
        if not state.is_up:
            yield from self._deeper(state)
            if state.skips and state.since_pool:
                turned = replace(state, is_up=True)
                yield from self._enlarged(turned)
            return
        for index, form in self._unused(state, state.channels):
            if form.operation != "transposed":
                if self._parts[index].kernel in (2, 4):
                    continue
                role = self._roles[index]
                ups = {step.kind for step in state.steps if step.part is not None and self._roles[step.part] == role}
                change = 0.7 if ups and "part" not in ups else 0.0
                yield self._jump(state, index) + change, self._ran(state, index, form, "part")
        if state.skips:
            yield from self._enlarged(state)

    def _deeper(self, state: State) -> Iterator[tuple[float, State]]:
        for index, form in self._unused(state, state.channels):
            if form.operation == "transposed":
                continue
            part = self._parts[index]
            jump = self._jump(state, index)
            is_boundary = self._is_boundary(self._parts[state.last].tokens, part.tokens)
            grows = form.outputs > form.inputs
            depth = self._depth(state.last, index)
            halves = part.kind == "unit" and part.kernel in (2, 4)
            if part.kind == "excitation":
                yield jump, self._ran(state, index, form, "part")
                continue
            if not halves:
                same_level = max(0.1, 0.5 - 0.2 * depth) if is_boundary else 0.35 * grows
                yield jump + same_level, self._ran(state, index, form, "part")
            if state.since_pool and len(state.skips) < _MOST_LEVELS:
                cost = 0.0 if halves else 0.15 * depth if is_boundary else 0.3 if grows else 1.2
                pooled = replace(
                    state,
                    skips=(*state.skips, state.channels),
                    steps=(*state.steps, Step("pool")),
                    since_pool=0,
                )
                yield jump + cost, self._ran(pooled, index, form, "part")

    def _enlarged(self, state: State) -> Iterator[tuple[float, State]]:
        for index, form in self._unused(state, state.channels):
            if self._parts[index].kind == "excitation":
                continue
            kind: StepKind = "up_transposed" if form.operation == "transposed" else "up_part"
            if kind == "up_part" and self._parts[index].kind != "unit":
                continue
            cost = form.cost + (0.2 if kind == "up_part" else 0.0) + 0.3 * (form.operation == "depthwise")
            enlarged = self._ran(state, index, form, kind)
            cost += change_of_kind(state, kind, ("up", "up_part", "up_transposed")) + self._change_ofrole_of(
                state, index
            )
            if kind == "up_part" and index == state.last + 1 and self._is_one_block(state.last, index):
                cost += 0.8
            yield self._jump(state, index) + cost, replace(enlarged, is_joining=True)
        enlarged = replace(state, is_joining=True, steps=(*state.steps, Step("up")))
        yield 0.15 + change_of_kind(state, "up", ("up", "up_part", "up_transposed")), enlarged

    def _joined(self, state: State) -> Iterator[tuple[float, State]]:
        *rest, skip = state.skips
        left = replace(state, skips=tuple(rest), is_joining=False)
        if skip:
            yield from self._concatenated(left, skip)
            if skip == state.channels:
                for gate in self._fitting_gates(left, skip):
                    gated = left if gate is None else replace(left, used=left.used | 1 << gate, last=gate)
                    jump = 0.0 if gate is None else 0.5 * self._jump(left, gate)
                    yield 0.7 + jump, replace(gated, steps=(*left.steps, Step("add", gate)))
        yield 2.0 if skip else 0.0, replace(left, steps=(*left.steps, Step("no_skip")))

    def _fitting_gates(self, state: State, skip: int) -> Sequence[int | None]:
        """Return the gates for a skip of these channels; only None if all gates of the network are used."""
        free = [index for index in self._gates if not state.used >> index & 1]
        if not free:
            return [None]
        forms = {index: self._parts[index].forms[0] for index in free}
        return [index for index in free if (forms[index].inputs, forms[index].outputs) == (state.channels, skip)][:3]

    def _concatenated(self, state: State, skip: int) -> Iterator[tuple[float, State]]:
        total = state.channels + skip
        for gate in self._fitting_gates(state, skip):
            gated = state if gate is None else replace(state, used=state.used | 1 << gate, last=gate)
            jump_to_gate = 0.0 if gate is None else 0.5 * self._jump(state, gate)
            joined = replace(gated, steps=(*state.steps, Step("concat", gate)), channels=total)
            for index, form in self._unused(joined, total):
                if form.operation == "transposed":
                    continue
                yield self._jump(joined, index) + jump_to_gate, self._ran(joined, index, form, "part")

    def _finished(self, state: State, cost: float) -> Wiring | None:
        if not state.is_up or state.is_joining or not state.steps:
            return None
        last = next((step for step in reversed(state.steps) if step.kind not in ("no_skip",)), None)
        if last is None or last.part is None or last.form is None or last.form.outputs > _MOST_CLASSES:
            return None
        head = self._parts[last.part]
        if last.kind not in ("part", "up_transposed", "up_part") or head.kind != "unit":
            return None
        left = [index for index in range(len(self._parts)) if not state.used >> index & 1]
        further = self._further_heads(state, left)
        if further is None or (head.is_normed and last.form.outputs > 4):
            return None
        steps = [
            Step("head", step.part, step.form) if step is last and step.kind == "part" else step for step in state.steps
        ]
        extra = 2.0 * len([skip for skip in state.skips if skip]) + 0.3 * len(left) + 0.05 * last.form.outputs
        if head.units[-1].after is not None:
            extra += 1.0
        return Wiring(self._parts, tuple(steps), cost + extra, further, len(state.skips))

    def _further_heads(self, state: State, left: Sequence[int]) -> tuple[tuple[int, int], ...] | None:
        """Return where each of these parts takes its map; None if one of them is no head."""
        if len(left) > _MOST_LEVELS:
            return None
        heads = []
        for index in left:
            part = self._parts[index]
            if part.kind != "unit" or part.is_normed or len(part.units) > 1 or part.kernel not in (1, 3):
                return None
            inputs = {form.inputs: form for form in part.forms if form.operation == "convolution"}
            sources = [step for channels, step in state.outputs[:-1] if channels in inputs]
            outputs = min(
                (form.outputs for form in part.forms if form.operation == "convolution"), default=_MOST_CLASSES
            )
            if not sources or outputs > (16 if part.kernel == 1 else 4):
                return None
            heads.append((index, sources[-1]))
        return tuple(heads)
