"""Model card and CLAIM checklist: nothing is called answered that the run has no figure for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from studies import dice_run, some_dice, write_run

from napari_segcam.reporting.report.document import Addition, Bullets, Paragraph, Subheading, Table
from napari_segcam.reporting.report.finished_run import FinishedRun, read_run
from napari_segcam.validating.failures.analysis import analyze_failures
from napari_segcam.validating.failures.doubt_curve import doubt_curve
from napari_segcam.validating.figures import by_class, frames_of
from napari_segcam.validating.further_sections import FurtherSections, write_further
from napari_segcam.validating.publishing.claim import CLAIM_COLUMNS, ClaimAnswer, claim_answers, claim_rows
from napari_segcam.validating.publishing.claim_items import ITEMS, NUMBERING
from napari_segcam.validating.publishing.material import Material
from napari_segcam.validating.publishing.model_card_page import TO_WRITE, card_markdown, card_parts
from napari_segcam.validating.publishing.sections import card_section, claim_section
from napari_segcam.validating.validate import validate


def material_of(folder: Path, *, settings: dict[str, Any] | None = None, **options: Any) -> Material:
    read = read_run(folder)
    run = FinishedRun({**read.settings, **(settings or {})}, read.images, read.failures, read.missing)
    anonymous = options.pop("anonymous", False)
    validation = validate(run, **options)
    frames = by_class(frames_of(run, validation.assigned)).values()
    curves = [curve for each in frames if (curve := doubt_curve(each)) is not None]
    return Material(run, validation, analyze_failures(run, validation), curves, anonymous)


def answers_of(material: Material) -> dict[int, ClaimAnswer]:
    return {answer.item.number: answer for answer in claim_answers(material)}


def facts_of(material: Material, title: str) -> dict[str, str]:
    return dict(next(part.facts for part in card_parts(material) if part.title == title))


def test_the_checklist_has_44_items_and_says_that_its_numbers_are_not_compared_with_the_article() -> None:
    assert [item.number for item in ITEMS] == list(range(1, 45))
    assert len({item.topic for item in ITEMS}) == 44
    topics = {item.number: item.topic for item in ITEMS}
    assert "ensemble" in topics[27]
    assert "failures" in topics[39]
    assert topics[44] == "funding"
    assert "not compared" in NUMBERING


def test_items_are_answered_with_the_figures_of_the_run(tmp_path: Path) -> None:
    answers = answers_of(material_of(dice_run(tmp_path / "run", some_dice(12))))
    assert answers[28].status == "answered"
    assert answers[28].what.startswith("Dice")
    assert (answers[29].status, answers[38].status) == ("answered", "answered")
    assert answers[39].status == "answered"
    assert "of 12 failed" in answers[39].what
    assert (answers[3].status, answers[3].where, answers[3].what) == ("author", "", "")


@pytest.mark.parametrize("number", [28, 29, 37, 38, 39, 21])
def test_without_a_truth_nothing_on_performance_is_answered(tmp_path: Path, number: int) -> None:
    rows = [{"dice": None, "truth_pixels": None, "truth_area_mm2": None}]
    material = material_of(write_run(tmp_path / "run", {"a": rows, "b": rows}))
    assert answers_of(material)[number].status == "author"


def test_figures_without_an_interval_answer_no_item_on_uncertainty(tmp_path: Path) -> None:
    answers = answers_of(material_of(dice_run(tmp_path / "run", [0.8])))
    assert answers[28].status == "answered"
    assert (answers[29].status, answers[38].status) == ("author", "author")


def test_subgroups_robustness_and_explanations_are_answered_where_they_are_measured(tmp_path: Path) -> None:
    plain = answers_of(material_of(dice_run(tmp_path / "plain", some_dice(8))))
    assert (plain[36].status, plain[37].status, plain[30].status) == ("author", "partly", "author")
    assert plain[31].status == "partly", "heatmaps, and no test of them"
    assert plain[20].status == "author", "each file is assumed to be a case"
    assert plain[13].status == "author"
    evidence = {"overlay_effect": 0.1, "overlay_effect_null": 0.0, "overlay_effect_p": 0.5, "agreement": 0.9}
    untested = write_run(tmp_path / "untested", {"P0": [{"dice": 0.9, **evidence}]})
    assert answers_of(material_of(untested))[31].status == "partly", "evidence, and no test of faithfulness in it"
    evidence["faithfulness_p"] = 0.01
    run = write_run(tmp_path / "more", {f"P{number}": [{"dice": 0.9, **evidence}] for number in range(8)})
    groups = [{"case": f"P{number}", "probe": ("linear", "convex")[number % 2]} for number in range(8)]
    more = answers_of(material_of(run, cases={f"P{number}": f"P{number}" for number in range(8)}, subgroups=groups))
    assert (more[36].status, more[37].status, more[30].status) == ("partly", "answered", "partly")
    assert more[31].status == "answered"
    assert more[20].status == "partly"
    assert more[13].what.startswith("subgroups by probe")


def test_what_run_json_does_not_say_is_for_the_author(tmp_path: Path) -> None:
    folder = dice_run(tmp_path / "run", some_dice(6))
    without = answers_of(material_of(folder))
    assert [without[number].status for number in (9, 10, 22, 23)] == ["author"] * 4
    settings = {
        "model": {
            "checkpoint": "a.pth",
            "architecture": "U-Net",
            "model_card": {"threshold": 0.5},
            "members": [{"weight": 0.5}, {"weight": 0.5}],
        },
        "versions": {"torch": "2.0"},
        "data": {"num_samples": 6},
    }
    given = answers_of(material_of(folder, settings=settings))
    assert [given[number].status for number in (9, 10, 22, 23)] == ["partly"] * 4
    assert given[27].what.startswith("an ensemble of 2 networks")
    assert without[27].what == "no ensemble: one network"


def test_the_card_has_the_figures_and_leaves_the_rest_to_the_author(tmp_path: Path) -> None:
    values = [0.5, 0.6, 0.7, 0.85, 0.9, 0.95, 0.9]
    material = material_of(dice_run(tmp_path / "run", [*values, None], source="somewhere"))
    performance = facts_of(material, "Performance")
    assert performance["Dice"].startswith("median 0.850 (95 % interval 0.")
    assert performance["Dice"].endswith("7 cases); undefined: 1 case: both are empty")
    assert set(facts_of(material, "Intended use").values()) == {TO_WRITE}
    assert facts_of(material, "Training")["Training data"] == TO_WRITE
    assert facts_of(material, "Data of this validation")["Read from"] == "somewhere"
    assert facts_of(material, "Failures and doubt")["Cases of fibroid"] == "7 cases: 3 boundary, 4 fine"
    assert facts_of(material, "Failures and doubt")["Doubt"].startswith("Not measured")
    assert "intervals are too narrow" in facts_of(material, "Limits")["Cases"]


def test_an_anonymous_card_names_no_folder(tmp_path: Path) -> None:
    material = material_of(dice_run(tmp_path / "run", [0.9, 0.8], source="a_hospital"), anonymous=True)
    assert "a_hospital" not in card_markdown(card_parts(material), "network")


def test_the_card_as_markdown_shows_signs_as_they_are(tmp_path: Path) -> None:
    settings = {"model": {"checkpoint": "best_model*.pth", "model_card": {"notes": "<b>new</b>\n# of | 2025"}}}
    material = material_of(dice_run(tmp_path / "run", [0.9, 0.8]), settings=settings)
    text = card_markdown(card_parts(material), "best_model*.pth")
    assert text.startswith("# Model card: best\\_model\\*.pth\n")
    assert "- **Notes**: \\<b\\>new\\</b\\> \\# of \\| 2025\n" in text
    assert next(line for line in text.splitlines() if line.startswith("## ")) == "## Network"


def test_a_card_that_its_author_completed_is_never_replaced(tmp_path: Path) -> None:
    further = FurtherSections(Addition([], []), {}, {}, {"model_card.md": "# Card\n"})
    card, beside = tmp_path / "model_card.md", tmp_path / "model_card_new.md"
    assert write_further(tmp_path, further) == [card]
    again = FurtherSections(Addition([], []), {}, {}, {"model_card.md": "# Other card\n"})
    assert write_further(tmp_path, again) == [card], "nobody changed it"
    completed = card.read_text(encoding="utf-8").replace("# Other card", "# Other card, for me")
    card.write_text(completed, encoding="utf-8")
    assert write_further(tmp_path, further) == [beside]
    assert card.read_text(encoding="utf-8") == completed
    assert beside.read_text(encoding="utf-8").startswith("# Card\n")
    assert write_further(tmp_path, further) == [beside], "nobody changed that one"
    beside.write_text("# Mine", encoding="utf-8")
    assert write_further(tmp_path, further) == [tmp_path / "model_card_new_new.md"]


def test_the_sections_show_every_item_and_every_part(tmp_path: Path) -> None:
    material = material_of(dice_run(tmp_path / "run", some_dice(6)))
    answers = claim_answers(material)
    blocks = claim_section(answers).blocks
    table = next(block for block in blocks if isinstance(block, Table))
    assert len(table.rows) == 44
    rows = claim_rows(answers)
    counts = [sum(row["status"] == status for row in rows) for status in ("answered", "partly", "author")]
    assert sum(counts) == 44
    introduction, note = [block.text for block in blocks if isinstance(block, Paragraph)]
    assert f"{counts[0]} answered by this run, {counts[1]} partly, {counts[2]} the author must write it" in introduction
    assert note == NUMBERING
    assert list(rows[0]) == list(CLAIM_COLUMNS)
    card = card_section(card_parts(material)).blocks
    titles = [block.text for block in card if isinstance(block, Subheading)]
    assert titles == [part.title for part in card_parts(material)]
    assert sum(isinstance(block, Bullets) for block in card) == len(titles)
