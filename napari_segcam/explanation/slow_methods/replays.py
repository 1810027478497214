"""Replays: from each of many stages of a network on one image, prepared by one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from weakref import WeakKeyDictionary

import torch
from torch import nn
from torch.nn import functional as F

from napari_segcam.budget import RECORDED_BYTES
from napari_segcam.explanation.slow_methods.dependencies import Dependencies, find_dependencies
from napari_segcam.explanation.slow_methods.recording import OtherCalls, Recording
from napari_segcam.explanation.slow_methods.replay import Replay
from napari_segcam.network.stages.stage import Stage


@dataclass
class _Known:
    """What is known of a module, as its layers were found to run on small images.

    Attributes:
        dependencies: by the layers of the stages; None if they cannot be found.
        exact: whether replays equal the whole network, for the dependencies and a stage's layer.
    """

    dependencies: dict[tuple[str, ...], Dependencies | None] = field(default_factory=dict)
    exact: dict[tuple[Dependencies, str], bool] = field(default_factory=dict)


_known: WeakKeyDictionary[nn.Module, _Known] = WeakKeyDictionary()


class Replays:
    """Makes replays from the stages of a network on one image.

    Replays from a stage are compared with the whole network once for each network: on a small copy of the image if the
    same layers run on it with the same dependencies, else on the image.

    Args:
        module: frozen and in eval mode.
        x: the input ``(1, C, H, W)``.
        stages: those to prepare; any other costs passes of its own.
        small_size: height and width of an input that the network takes.
        limit: largest number of bytes of outputs of layers to keep; with fewer, more layers run in each replay.
    """

    def __init__(
        self,
        module: nn.Module,
        x: torch.Tensor,
        stages: Sequence[Stage],
        small_size: tuple[int, int],
        limit: int = RECORDED_BYTES,
    ) -> None:
        self._module, self._x, self._small_size, self._limit = module, x, small_size, limit
        self._stages = [stage for stage in stages if stage.output is None]
        self._prepared = {stage.layer for stage in self._stages}

    def of(self, stage: Stage) -> Replay:
        """Return the replay from a stage.

        Raises:
            SegcamError: if the stage never runs or gives no feature map.
        """
        recording = self._recording
        if recording is None or stage.output is not None or stage.layer not in self._prepared:
            return Replay(self._module, self._x, stage)
        recording.output(stage)  # a stage that never runs is refused before it is checked
        return Replay(self._module, self._x, stage, recording, is_exact=self._is_exact(recording, stage))

    def _is_exact(self, recording: Recording, stage: Stage) -> bool:
        known, key = self._known.exact, (recording.dependencies, stage.layer)
        if key not in known:
            small = self._small_recording
            is_same = small is not None and recording.dependencies == small.dependencies
            x, recorded = (self._small, small) if is_same else (self._x, recording)
            known[key] = not Replay(self._module, x, stage, recorded).runs_whole_network
        return known[key]

    @property
    def _known(self) -> _Known:
        return _known.setdefault(self._module, _Known())

    @cached_property
    def _recording(self) -> Recording | None:
        recording = self._record(self._x, self._small_dependencies)
        return recording or self._record(self._x, self._find_dependencies(self._x))

    @cached_property
    def _small(self) -> torch.Tensor:
        return F.interpolate(self._x, self._small_size, mode="bilinear", antialias=True)

    @property
    def _small_dependencies(self) -> Dependencies | None:
        known, layers = self._known.dependencies, tuple(stage.layer for stage in self._stages)
        if layers not in known:
            known[layers] = self._find_dependencies(self._small)
        return known[layers]

    @cached_property
    def _small_recording(self) -> Recording | None:
        return self._record(self._small, self._small_dependencies)

    def _find_dependencies(self, x: torch.Tensor) -> Dependencies | None:
        """Return the dependencies on an image; None if the network does not run in this way."""
        try:
            return find_dependencies(self._module, x, self._stages)
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, ValueError, TypeError, AssertionError, NotImplementedError):
            return None

    def _record(self, x: torch.Tensor, dependencies: Dependencies | None) -> Recording | None:
        """Return the recording of an image; None if other layers run on it."""
        if dependencies is None:
            return None
        try:
            return Recording(self._module, x, dependencies, self._limit)
        except OtherCalls:
            return None
