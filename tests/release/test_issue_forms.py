"""The issue forms are forms that GitHub accepts, and ask for what ``report-problem`` collects."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FORMS = sorted(path for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")

# GitHub's form schema: for each kind of element its keys, the keys of its attributes, and which must be there.
KINDS: dict[str, tuple[set[str], set[str], set[str]]] = {
    "markdown": ({"type", "attributes"}, {"value"}, {"value"}),
    "input": (
        {"type", "id", "attributes", "validations"},
        {"label", "description", "placeholder", "value"},
        {"label"},
    ),
    "textarea": (
        {"type", "id", "attributes", "validations"},
        {"label", "description", "placeholder", "value", "render"},
        {"label"},
    ),
    "dropdown": (
        {"type", "id", "attributes", "validations"},
        {"label", "description", "multiple", "options", "default"},
        {"label", "options"},
    ),
    "checkboxes": (
        {"type", "id", "attributes", "validations"},
        {"label", "description", "options"},
        {"label", "options"},
    ),
}


def mistakes(form: Any) -> list[str]:
    """Return what GitHub would refuse in a form."""
    found = [f"no {key}" for key in ("name", "description", "body") if not form.get(key)]
    found += [f"{key}: unknown" for key in set(form) - {"name", "description", "body", "labels", "title", "assignees"}]
    body = form.get("body") or []
    if all(element.get("type") == "markdown" for element in body):
        found.append("nothing to fill in")
    for number, element in enumerate(body, start=1):
        found += [f"element {number}: {mistake}" for mistake in _mistakes_of_element(element)]
    for key, values in (
        ("id", [element["id"] for element in body if "id" in element]),
        (
            "label",
            [element.get("attributes", {}).get("label") for element in body if element.get("type") != "markdown"],
        ),
    ):
        found += [f"{key} twice: {value}" for value in set(values) if values.count(value) > 1]
    return found


def _mistakes_of_element(element: dict[str, Any]) -> list[str]:
    if element.get("type") not in KINDS:
        return [f"unknown type {element.get('type')}"]
    keys, allowed, required = KINDS[element["type"]]
    attributes = element.get("attributes") or {}
    found = [f"{key} is not allowed" for key in [*(set(element) - keys), *(set(attributes) - allowed)]]
    found += [f"no {key}" for key in required if not attributes.get(key)]
    found += [f"{key} is no text" for key in ("label", "value") if not isinstance(attributes.get(key, ""), str)]
    if not re.fullmatch(r"[\w-]+", element.get("id", "x")):
        found.append(f"id {element['id']!r}")
    if not set(element.get("validations") or {}) <= {"required"}:
        found.append("validations other than required")
    if element["type"] == "dropdown":
        options = attributes.get("options") or []
        found += ["options that are no texts, or repeated"] * (
            len(set(map(str, options))) < len(options) or not all(isinstance(option, str) for option in options)
        )
    return found


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_github_accepts_form(path: Path) -> None:
    assert mistakes(yaml.safe_load(path.read_text(encoding="utf-8"))) == []


def test_a_form_with_mistakes_is_not_accepted() -> None:
    """The rules above find each kind of mistake."""
    field = {"type": "input", "id": "a", "attributes": {"label": "A"}}
    good = {"name": "n", "description": "d", "body": [field]}
    assert mistakes(good) == []
    assert mistakes({**good, "body": [{"type": "markdown", "attributes": {"value": "v"}}]}) == ["nothing to fill in"]
    assert mistakes({**good, "body": [field, {**field, "attributes": {"label": "B"}}]}) == ["id twice: a"]
    assert mistakes({**good, "about": "x"}) == ["about: unknown"]
    assert mistakes({"name": "n", "body": [field]}) == ["no description"]
    for wrong, mistake in [
        ({"type": "text"}, "unknown type text"),
        ({**field, "id": "a b"}, "id 'a b'"),
        ({**field, "validations": {"min": 1}}, "validations other than required"),
        ({**field, "attributes": {"label": "A", "render": "text"}}, "render is not allowed"),
        ({"type": "dropdown", "attributes": {"label": "A"}}, "no options"),
        (
            {"type": "dropdown", "attributes": {"label": "A", "options": ["x", "x"]}},
            "options that are no texts, or repeated",
        ),
        (
            {"type": "dropdown", "attributes": {"label": "A", "options": [True]}},
            "options that are no texts, or repeated",
        ),
    ]:
        assert mistakes({**good, "body": [field, wrong]})[0] == f"element 2: {mistake}"


def test_there_is_a_form_for_each_reason_to_write() -> None:
    assert [path.stem for path in FORMS] == ["checkpoint", "idea", "problem", "wrong_result"]
    names = [yaml.safe_load(path.read_text(encoding="utf-8"))["name"] for path in FORMS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", ["checkpoint", "problem", "wrong_result"])
def test_form_asks_for_the_report_and_for_no_image(name: str) -> None:
    form = yaml.safe_load((ROOT / f".github/ISSUE_TEMPLATE/{name}.yml").read_text(encoding="utf-8"))
    report = next(element for element in form["body"] if element.get("id") == "report")
    assert "napari-segcam report-problem" in report["attributes"]["description"]
    assert "render" not in report["attributes"]  # the report is Markdown
    assert report["validations"]["required"]
    text = str(form).lower()
    assert "no image" in text
    assert "no patient's name" in text


def test_links_for_other_reasons_are_complete() -> None:
    config = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE/config.yml").read_text(encoding="utf-8"))
    assert config["blank_issues_enabled"] is False  # a form asks for what is needed
    assert len(config["contact_links"]) == 3
    for link in config["contact_links"]:
        assert set(link) == {"name", "url", "about"}
        assert link["url"].startswith("https://")
