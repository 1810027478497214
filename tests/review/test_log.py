"""The log of a rater: what is appended is kept, whatever happens to the program, and can be undone."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from napari_segcam.errors import SegcamError
from napari_segcam.review.log.events import (
    EVENT,
    CaseDone,
    CaseLeft,
    CaseOpened,
    Correction,
    Grade,
    Note,
    Shown,
    Verdict,
    to_line,
)
from napari_segcam.review.log.rater_log import RaterLog
from napari_segcam.review.log.reading import read_log
from napari_segcam.review.log.state import ReadingState, state_of
from napari_segcam.review.readings import Reading

CASE = Reading("c1")


def a_mask(seed: int = 0, shape: tuple[int, int] = (40, 60)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 3, shape, np.uint8)


def reopened(folder: Path) -> RaterLog:
    log = RaterLog(folder, "anna")
    log.close()
    return log


def test_events_are_lines_of_json_that_read_back_as_they_were(tmp_path: Path) -> None:
    log = RaterLog(tmp_path, "anna")
    log.append(CaseOpened(case="c1"))
    log.append(Verdict(case="c1", first=2, last=7, value="reject", reasons=("missed", "wrong extent")))
    log.append(Note(case="c1", text='quotes " and\nlines, größer'))
    log.append(Shown(case="c1", frame=3, prediction=True, heatmaps=("encoder_5",)))
    assert log.close()
    lines = (tmp_path / "log.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["n"] for line in lines] == [1, 2, 3, 4, 5]
    assert read_log(tmp_path / "log.jsonl").events == log.events
    assert reopened(tmp_path).state.readings == log.state.readings


@pytest.mark.parametrize(
    "fields",
    [
        {"value": "plausible"},
        {"about": "heatmap", "value": "accept"},
        {"value": "accept", "reasons": ["missed"]},
        {"value": "accept", "first": 3},
        {"value": "accept", "first": 4, "last": 3},
        {"value": "accept", "case": "a\x1b[2J"},
    ],
)
def test_an_event_that_makes_no_sense_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="Verdict"):
        Verdict.model_validate({"case": "c1", **fields})


@pytest.mark.slow
def test_a_log_that_is_cut_off_anywhere_opens_with_all_whole_lines(tmp_path: Path) -> None:
    log = RaterLog(tmp_path / "full", "anna")
    for frame in range(3):
        log.append(Note(case="c1", first=frame, last=frame, text=f"note {frame}"))
    log.close()
    content = (tmp_path / "full" / "log.jsonl").read_bytes()
    for length in range(len(content)):
        folder = tmp_path / str(length)
        folder.mkdir()
        (folder / "log.jsonl").write_bytes(content[:length])
        whole = content[:length].count(b"\n")
        is_torn = not content[:length].endswith(b"\n") and length > 0
        torn_log = RaterLog(folder, "anna")
        assert torn_log.events[:-1] == log.events[:whole]
        assert bool(torn_log.warnings) == is_torn
        assert not is_torn or "torn" in torn_log.warnings[0]
        torn_log.close()
        again = read_log(folder / "log.jsonl")
        assert not again.warnings
        assert again.events == torn_log.events


def test_a_damaged_line_is_left_out_and_said_and_the_rest_counts(tmp_path: Path) -> None:
    log = RaterLog(tmp_path, "anna")
    for frame in range(3):
        log.append(Note(case="c1", first=frame, last=frame, text="note"))
    log.close()
    path = tmp_path / "log.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    damaged = b"".join([*lines[:2], b"\x00" * 30 + b"\n", *lines[3:]])
    path.write_bytes(damaged)
    content = read_log(path)
    assert [event.n for event in content.events] == [1, 2, 4]
    assert "line 3" in content.warnings[0]
    assert path.read_bytes() == damaged
    assert reopened(tmp_path).events[-1].n == 5


@pytest.mark.parametrize("end", [b"\n", b""])
@pytest.mark.parametrize("kind", ["note", "hologram"])
def test_a_log_of_a_later_version_is_refused_and_stays_as_it_is(tmp_path: Path, kind: str, end: bytes) -> None:
    later = json.loads(to_line(Note(case="c1", text="note"))) | {"v": 2, "kind": kind}
    content = json.dumps(later).encode() + end
    (tmp_path / "log.jsonl").write_bytes(content)
    with pytest.raises(SegcamError, match=r"later version .* Update"):
        RaterLog(tmp_path, "anna")
    assert (tmp_path / "log.jsonl").read_bytes() == content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.jsonl", "log.lock"]
    (tmp_path / "log.jsonl").unlink()
    reopened(tmp_path)  # the lock was released


@pytest.mark.parametrize("line", [b"[" * 100_000, b"7", b'"text"', b"{}", b'{"v": 1}', b'{"kind": "note", "n": NaN}'])
def test_hostile_lines_are_only_left_out(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "log.jsonl").write_bytes(line + b"\n")
    content = read_log(tmp_path / "log.jsonl")
    assert not content.events
    assert "line 1" in content.warnings[0]


def test_masks_come_back_bit_for_bit_also_before_they_are_written(tmp_path: Path) -> None:
    log = RaterLog(tmp_path, "anna")
    mask, predicted = a_mask(1), a_mask(2)
    event = log.correct(CASE, 4, mask, started_from=predicted, names={1: "fibroid", 2: "cyst"}, threshold=0.5)
    assert event.mask is not None
    original = mask.copy()
    mask[...] = 0  # painted on: the log holds a copy
    assert np.array_equal(log.labels(event.mask), original)
    log.close()
    log = RaterLog(tmp_path, "anna")
    kept = log.state.of(CASE).corrections[4, ""]
    assert kept.mask is not None
    assert kept.started_from is not None
    assert np.array_equal(log.labels(kept.mask), original)
    assert np.array_equal(log.labels(kept.started_from), predicted)
    log.close()
    assert all(path.stat().st_size < original.size for path in (tmp_path / "masks").iterdir())


def test_a_mask_that_was_changed_or_is_missing_is_refused(tmp_path: Path) -> None:
    log = RaterLog(tmp_path, "anna")
    event = log.correct(CASE, 0, a_mask(1))
    other = log.correct(CASE, 1, a_mask(2))
    log.close()
    assert event.mask is not None
    assert other.mask is not None
    path = tmp_path / "masks" / f"{event.mask}.png"
    (tmp_path / "masks" / f"{other.mask}.png").replace(path)
    log = RaterLog(tmp_path, "anna")
    with pytest.raises(SegcamError, match="changed"):
        log.labels(event.mask)
    with pytest.raises(SegcamError, match="missing"):
        log.labels(other.mask)
    path.write_bytes(b"no picture")
    with pytest.raises(SegcamError, match="cannot be read"):
        log.labels(event.mask)
    log.close()


class Model:
    """The same as a list of actions: undo pops it, redo pushes what was popped."""

    def __init__(self) -> None:
        self.actions: list[object] = []
        self.undone: list[object] = []

    def do(self, action: object) -> None:
        self.actions.append(action)
        self.undone.clear()

    def undo(self) -> None:
        if self.actions:
            self.undone.append(self.actions.pop())

    def redo(self) -> None:
        if self.undone:
            self.actions.append(self.undone.pop())


def random_action(log: RaterLog, model: Model, choice: random.Random) -> None:
    frame = choice.randrange(4)
    where = {"case": choice.choice(["c1", "c2"]), "first": frame, "last": frame + choice.randrange(3)}
    match choice.randrange(8):
        case 0:
            model.do(log.append(Verdict(**where, value=choice.choice(["accept", "reject", None]))))
        case 1:
            model.do(log.append(Grade(**where, value=choice.choice([1, 5, None]))))
        case 2:
            model.do(log.append(Note(**where, text=choice.choice(["a", "b", " "]))))
        case 3:
            mask = None if choice.random() < 0.3 else a_mask(choice.randrange(5))
            model.do(log.correct(Reading(where["case"]), frame, mask))
        case 4:
            model.do(log.append(CaseDone(case=where["case"], done=choice.random() < 0.5)))
        case 5:
            log.append(CaseLeft(case=where["case"], active_seconds=choice.random()))
        case 6:
            model.undo()
            log.undo()
        case 7:
            model.redo()
            log.redo()


@pytest.mark.parametrize("seed", range(4))
def test_undo_and_redo_are_those_of_a_plain_list_also_after_every_restart(tmp_path: Path, seed: int) -> None:
    choice, model = random.Random(seed), Model()
    log = RaterLog(tmp_path, "anna")
    for step in range(120):
        random_action(log, model, choice)
        if step % 7 == 0:
            log.close()
            log = RaterLog(tmp_path, "anna")
        seconds = {reading: state.seconds for reading, state in log.state.readings.items()}
        expected = state_of([event for event in log.events if event in model.actions or isinstance(event, CaseLeft)])
        for reading in (Reading("c1"), Reading("c2")):
            ours, theirs = log.state.of(reading), expected.of(reading)
            assert ours.seconds == seconds.get(reading, 0.0)
            assert ours == theirs
        assert log.can_undo == bool(model.actions)
        assert log.can_redo == bool(model.undone)
    log.close()


def test_the_latest_verdict_on_a_frame_counts_and_one_on_the_case_elsewhere() -> None:
    state = state_of(
        [
            Verdict(case="c1", n=1, first=0, last=9, value="accept"),
            Verdict(case="c1", n=2, first=4, last=5, value="reject"),
            Verdict(case="c1", n=3, value="correct"),
            Verdict(case="c1", n=4, first=0, last=9, value="accept", about="mask", finding=2),
        ]
    ).of(CASE)
    found = [verdict.value if (verdict := state.verdict_at(frame)) else None for frame in (0, 4, 12)]
    assert found == ["accept", "reject", "correct"]
    finding = state.verdict_at(3, finding=2)
    assert finding is not None
    assert finding.n == 4
    assert state.verdict_at(3, "heatmap") is None
    assert ReadingState().status == "new"


def test_a_second_program_is_refused_in_words_and_nothing_is_damaged(tmp_path: Path) -> None:
    log = RaterLog(tmp_path, "anna")
    with pytest.raises(SegcamError, match="anna is open in another window"):
        RaterLog(tmp_path, "anna")
    log.append(Note(case="c1", text="kept"))
    log.close()
    assert reopened(tmp_path).state.of(CASE).notes[0].text == "kept"


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_what_cannot_be_written_waits_and_is_written_later(tmp_path: Path) -> None:
    folder = tmp_path / "anna"
    log = RaterLog(folder, "anna")
    assert log.flush()
    messages: list[str] = []
    log.on_error = messages.append
    # A link to a folder cannot be opened, for root either; it comes and goes at once, as the log is tried all the time.
    (tmp_path / "folder").mkdir()
    (folder / "link").symlink_to(tmp_path / "folder", target_is_directory=True)
    shutil.copyfile(folder / "log.jsonl", folder / "as it was")
    (folder / "link").replace(folder / "log.jsonl")
    log.append(Note(case="c1", text="first"))
    log.append(Note(case="c2", text="second"))
    assert not log.flush(0.3)
    assert log.unsaved == 2
    deadline = time.monotonic() + 20
    while not messages and time.monotonic() < deadline:  # a busy machine takes longer to try
        time.sleep(0.01)
    assert len(messages) == 1
    assert "log.jsonl" in messages[0]
    assert log.failure == messages[0]
    (folder / "as it was").replace(folder / "log.jsonl")
    assert log.flush()
    assert messages[1:] == [""]
    log.close()
    assert [event.n for event in reopened(folder).events] == [1, 2, 3, 4]


WRITER = """
import sys
from pathlib import Path
import numpy as np
from napari_segcam.review.log.events import Note
from napari_segcam.review.log.rater_log import RaterLog
from napari_segcam.review.readings import Reading
log = RaterLog(Path(sys.argv[1]) / sys.argv[2], sys.argv[2])
log.on_saved = lambda number: print(number, flush=True)
for number in range(int(sys.argv[3])):
    if number % 5:
        log.append(Note(case=f"c{number % 20}", text=f"{number}"))
    else:
        log.correct(Reading(f"c{number % 20}"), number, np.full((50, 50), number % 7, np.uint8))
log.close()
"""


def start_writer(folder: Path, rater: str, actions: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), rater, str(actions)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})


def test_two_raters_in_two_processes_both_keep_everything(tmp_path: Path) -> None:
    processes = [start_writer(tmp_path, rater, 500) for rater in ("anna", "ben")]
    for process in processes:
        process.communicate(timeout=120)
        assert process.returncode == 0
    for rater in ("anna", "ben"):
        content = read_log(tmp_path / rater / "log.jsonl")
        assert not content.warnings
        assert [event.n for event in content.events] == list(range(1, 502))
        log = RaterLog(tmp_path / rater, rater)
        for event in content.events:
            if isinstance(event, Correction) and event.mask:
                assert np.all(log.labels(event.mask) == event.frame % 7)
        log.close()


@pytest.mark.parametrize("seed", range(3))
def test_after_kill_9_everything_acknowledged_is_there(tmp_path: Path, seed: int) -> None:
    process = start_writer(tmp_path, "anna", 1_000_000)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(random.Random(seed).uniform(0.05, 0.4))
    os.kill(process.pid, signal.SIGKILL)
    saved = [int(line) for line in process.stdout if line.endswith("\n")]
    process.wait()
    log = RaterLog(tmp_path / "anna", "anna")  # the lock went with the process
    numbers = [event.n for event in log.events]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= max(saved, default=1)
    for event in log.events:
        if isinstance(event, Correction) and event.mask:
            log.labels(event.mask)
    log.close()


def test_every_event_of_the_schema_has_its_own_kind() -> None:
    event = EVENT.validate_json(b'{"v": 1, "n": 3, "kind": "case_opened", "case": "c1", "repeat": 2}')
    assert isinstance(event, CaseOpened)
    assert event.reading == Reading("c1", 2)
