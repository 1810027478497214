"""The page of evidence: counts and figures worked out again from the rows, and its absence from runs without it."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_run import WriteRun
from pdf_text import Pdf

from napari_segcam.reporting.report.finished_run import read_run
from napari_segcam.reporting.report.front import repeat_command
from napari_segcam.reporting.report.writing import write_report

NAMES = tuple(f"scan_{number}.png" for number in range(8))
RNG = np.random.default_rng(0)


def evidence(number: int, stage: str) -> dict[str, Any]:
    """Evidence of the n-th image: the first stage always takes part, the second in some, the last in none."""
    influence = {"encoder_1": 0.9, "encoder_5": 0.3 if number < 3 else 0.01, "decoder_last": 0.0}[stage]
    takes_part = influence >= 0.05
    p = 0.05 if (stage, number % 2) == ("encoder_1", 0) else 0.4
    return {
        "influence": influence,
        "influence_on_score": influence / 2,
        "takes_part": "yes" if takes_part else "no",
        "faithfulness": None if stage == "decoder_last" else 0.5 + number / 100,
        "faithfulness_null": None if stage == "decoder_last" else 0.1,
        "faithfulness_p": None if stage == "decoder_last" else p,
        "ratio_null": 0.5 + number,
        "ratio_p": 0.01 if number < 6 else 0.2,
        "echo": 0.95 if stage == "decoder_last" else 0.2,
        "sanity": 0.6 if (stage, number) == ("encoder_5", 7) else 0.1,
        "off_scan": 0.1,
        "agreement": 0.9 - number / 10,
        "shown_first": "encoder_5" if number < 3 else "encoder_1",
        "evidence_undefined": "faithfulness: the map is flat" if stage == "decoder_last" else "",
        "statement": f"a statement on {stage}",
    }


@pytest.fixture
def run(write_run: WriteRun) -> Path:
    folder = write_run(NAMES, truth=False, evidence={"measures": ["influence", "faithfulness"], "draws": 19, "seed": 0})
    for number in range(len(NAMES)):
        path = folder / "images" / f"key_{number}" / "record.json"
        record = json.loads(path.read_text())
        record["rows"] = [{**row, **evidence(number, row["stage"])} for row in record["rows"]]
        path.write_text(json.dumps(record))
    return folder


def cells_of(section: str) -> Iterator[list[str]]:
    """The cells of each row of the tables of a section."""
    for row in re.findall(r"<tr>(.*?)</tr>", section, re.DOTALL):
        if cells := re.findall(r"<td.*?</td>", row, re.DOTALL):
            yield [html.unescape(re.sub("<.*?>", "", cell)).strip() for cell in cells]


def tables(page: str) -> dict[str, list[list[str]]]:
    """The tables of the section on evidence by the first words of their captions."""
    section = page.split('<section id="evidence">')[1].split("</section>")[0]
    found = {}
    for table in re.findall(r"<table.*?</table>", section, re.DOTALL):
        caption = html.unescape(re.search(r"<caption>(.*?)</caption>", table, re.DOTALL)[1])  # type: ignore[index]
        rows = re.findall(r"<tr>(.*?)</tr>", table.split("<tbody>")[1], re.DOTALL)
        cells = [[html.unescape(re.sub("<.*?>", "", cell)) for cell in re.findall(r"<td.*?</td>", row)] for row in rows]
        found[caption.split(",")[0]] = cells
    return found


@pytest.mark.usefixtures("undrawn")
def test_counts_are_those_of_the_rows(run: Path) -> None:
    (path,) = write_report(run, pdf=False)
    found = tables(path.read_text(encoding="utf-8"))
    stages = {row[0]: row[1:] for row in found["Stages"]}
    assert stages["encoder_1"] == ["8 of 8", "100 %", "0", "0.900", "5"]
    assert stages["encoder_5"] == ["3 of 8", "38 %", "0", "0.010", "3"]
    assert stages["decoder_last"] == ["0 of 8", "0 %", "0", "0.000", "0"]
    maps = {row[1]: row[2:] for row in found["Whether hot places matter more than others"]}
    loss = np.mean([0.5 + number / 100 for number in range(8)])
    assert maps["encoder_1"] == ["4 of 8", "50 %", f"{loss:.3f}", "0.100", f"{loss - 0.1:.3f}"]
    assert maps["encoder_5"][0] == "0 of 8"
    assert maps["decoder_last"] == ["–"] * 5
    flags = {row[1]: row[2:] for row in found["What else is known of the maps"]}
    assert flags["decoder_last"] == ["6 of 8", "8 of 8", "0 of 8", "0 of 8"]
    assert flags["encoder_5"][2] == "1 of 8"
    assert found["Maps without a test"] == [["gradcam", "decoder_last", "the map is flat", "8"]]


@pytest.mark.usefixtures("undrawn")
def test_the_words_say_stage_maps_and_the_number_of_tests(run: Path) -> None:
    (path,) = write_report(run, pdf=False)
    page = html.unescape(path.read_text(encoding="utf-8"))
    assert "Look first at encoder_1: it is the stage to show first in 5 of 8 frames (encoder_5 in 3)." in page
    assert "No part in the mask: decoder_last in 8 of 8 frames." in page
    assert "Part in some masks only: encoder_5 in 3 of 8 frames." in page
    assert "At encoder_1, the maps of gradcam hold up in 4 of 8 frames (p ≤ 0.05, mean lift 0.4" in page
    assert "There were 16 tests" in page
    assert "significant" not in page.split('<section id="evidence">')[1].split("</section>")[0]


def test_the_worst_come_first_and_lead_to_their_pages(run: Path) -> None:
    html_path, pdf_path = write_report(run)
    page = html_path.read_text(encoding="utf-8")
    worst = tables(page)["Worst masks first"]
    assert [row[0] for row in worst] == list(reversed(NAMES))
    assert worst[0] == ["scan_7.png", "0", "0.200", "encoder_1", "a statement on encoder_1"]
    assert '<a href="#image-8">scan_7.png</a>' in page.split('<section id="evidence">')[1].split("</section>")[0]
    assert any("What the heatmaps are worth" in " ".join(strings) for strings in Pdf(pdf_path).pages)


@pytest.mark.usefixtures("undrawn")
def test_every_ratio_has_its_null(run: Path) -> None:
    (path,) = write_report(run, pdf=False)
    page = path.read_text(encoding="utf-8")
    attention = page.split('<section id="attention">')[1].split("</section>")[0]
    cells = {row[1]: row for row in cells_of(attention) if row[:1] == ["gradcam"]}
    assert cells["encoder_1"][-2:] == ["4.00", "6 of 8"]
    overview = page.split('<section id="overview">')[1].split("</section>")[0]
    assert "at encoder_1, the stage to show first in most frames" in html.unescape(overview)
    assert next(cells_of(overview))[-3:] == ["1.50", "0.500", "0.0100"]
    image = page.split('id="image-8"')[1].split("</article>")[0]
    assert [row[-3:] for row in cells_of(image) if "encoder_5" in row] == [["9.50", "7.50", "0.200"]]


@pytest.mark.usefixtures("undrawn")
def test_frames_without_a_mask_say_nothing_about_the_stages(run: Path) -> None:
    for number in (6, 7):
        path = run / "images" / f"key_{number}" / "record.json"
        record = json.loads(path.read_text())
        for one in record["rows"]:
            one |= {"pixels": 0, "influence": 0.0, "takes_part": "no", "shown_first": ""}
        path.write_text(json.dumps(record))
    (path,) = write_report(run, pdf=False)
    page = html.unescape(path.read_text(encoding="utf-8"))
    stages = {row[0]: row[1:] for row in tables(page)["Stages"]}
    assert stages["encoder_1"][:2] == ["6 of 6", "100 %"]
    assert stages["encoder_5"][:2] == ["3 of 6", "50 %"]
    assert "Nothing was found in 2 of 8 frames: they say nothing about the stages." in page


@pytest.mark.usefixtures("undrawn")
def test_a_run_without_evidence_has_no_such_page(write_run: WriteRun) -> None:
    (path,) = write_report(write_run(), pdf=False)
    page = path.read_text(encoding="utf-8")
    assert 'id="evidence"' not in page
    assert "What the heatmaps are worth" not in page


def test_the_command_that_repeats_the_run_measures_the_same(run: Path) -> None:
    command = repeat_command(read_run(run))
    assert "--evidence influence,faithfulness --null 19" in command
