"""The text of the DICOM standard for dicom-validator, from a folder or from the package dicom-standard.

dicom-validator downloads the text of the standard, which a test must not do. The package dicom-standard on PyPI carries
an edition of 2020 as JSON, conditions in words included; here it becomes what dicom-validator reads, with the parsers
of dicom-validator itself. A folder named in NAPARI_SEGCAM_DICOM_STANDARD comes first: it is what ``validate_iods``
keeps in ``~/dicom-validator``, of any edition.
"""

from __future__ import annotations

import html
import importlib.metadata
import json
import os
import re
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

FOLDER_VARIABLE = "NAPARI_SEGCAM_DICOM_STANDARD"

_DOCBOOK = "{http://docbook.org/ns/docbook}"
_FUNCTIONAL_GROUPS = ("(5200,9229)", "(5200,9230)")
_CONTENT = "sr-document-content"
_FREE_TEXT = ("UT", "LT", "ST")  # a section that such a description refers to may list values of something else
_CONTENT_SEQUENCE, _VALUE_TYPE = "(0040,A730)", "(0040,A040)"


class NoStandardError(Exception):
    """The standard is not here; says what to install."""


def standard_for(sop_class_uid: str) -> Any:
    """Return the ``DicomInfo`` that describes a SOP class.

    Raises:
        NoStandardError: if it is not here, or its edition is older than the SOP class.
    """
    info = _from_folder() if os.environ.get(FOLDER_VARIABLE) else _from_package(sop_class_uid)
    if sop_class_uid not in info.iods:
        raise NoStandardError(f"the standard that is here does not know the SOP class {sop_class_uid}")
    return info


@lru_cache(maxsize=1)
def _from_folder() -> Any:
    from dicom_validator.spec_reader.edition_reader import EditionReader

    reader = EditionReader(os.environ[FOLDER_VARIABLE])
    edition = reader.get_edition("local")
    if edition is None or not reader.json_files_exist(edition):
        raise NoStandardError(f"{FOLDER_VARIABLE} names a folder that validate_iods has not filled")
    return reader.load_dicom_info(edition)


@lru_cache
def _from_package(sop_class_uid: str) -> Any:
    from dicom_validator.spec_reader.serializer import DefinitionEncoder
    from dicom_validator.validator.dicom_info import DicomInfo

    text = _package_text()
    iod = text.iod(sop_class_uid)
    plain = json.loads(json.dumps([text.dictionary, iod, text.modules], cls=DefinitionEncoder))
    return DicomInfo(*plain)


@lru_cache(maxsize=1)
def _package_text() -> _PackageText:
    try:
        files = importlib.metadata.distribution("dicom-standard").files or []
    except importlib.metadata.PackageNotFoundError:
        raise NoStandardError("the text of the standard is missing: pip install dicom-standard") from None
    return _PackageText({file.stem: Path(str(file.locate())) for file in files if file.suffix == ".json"})


class _PackageText:
    """The JSON files of dicom-standard, a module at a time in the form of dicom-validator."""

    def __init__(self, files: dict[str, Path]) -> None:
        from dicom_validator.spec_reader.condition_parser import ConditionParser
        from dicom_validator.spec_reader.enum_parser import EnumParser

        self._files = files
        self.dictionary = {
            row["tag"]: {
                "name": row["name"],
                "vr": row["valueRepresentation"],
                "vm": row["valueMultiplicity"],
                "prop": "RET" if row["retired"] == "Y" else "",
            }
            for row in self._read("attributes")
        }
        self.modules: dict[str, Any] = {}
        self._conditions = ConditionParser(self.dictionary)
        self._sections = {key.rpartition("#sect_")[2]: text for key, text in self._read("references").items()}
        self._enums = EnumParser(self._section, self._conditions)
        self._rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for kind in ("module", "macro"):
            for row in self._read(f"{kind}_to_attributes"):
                self._rows[f"{kind} {row[f'{kind}Id']}"].append(row)

    def _read(self, name: str) -> Any:
        return json.loads(self._files[name].read_text(encoding="utf-8"))

    def iod(self, sop_class_uid: str) -> dict[str, Any]:
        """Return the modules and macros of a SOP class, by its UID; empty if the edition does not know it."""
        names = {row["id"]: row["ciod"] for row in self._read("sops")}
        if sop_class_uid not in names:
            return {}
        title = names[sop_class_uid]
        key = next(row["id"] for row in self._read("ciods") if row["name"] == title)
        modules = self._members("module", (row for row in self._read("ciod_to_modules") if row["ciodId"] == key))
        macros = self._members("macro", (row for row in self._read("ciod_to_fg_macros") if row["ciodId"] == key))
        return {sop_class_uid: {"title": title, "modules": modules, "group_macros": macros}}

    def _members(self, kind: str, rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
        members = {}
        for row in rows:
            name = row[f"{kind}Id"]
            member = {"ref": self._module(f"{kind} {name}"), "use": row["usage"]}
            if row["conditionalStatement"]:
                member["use"] = f"{row['usage']} - {row['conditionalStatement']}"
                member["cond"] = self._conditions.parse(member["use"])
            members[name] = member
        return members

    def _module(self, key: str) -> str:
        if key not in self.modules:
            module: dict[str, Any] = {}
            for row in self._rows[key]:
                place = module
                *parents, _ = row["path"].split(":")[1:]
                for parent in parents:
                    place = place[_tag(parent)].setdefault("items", {})
                # In a list of alternatives, such as value types, an attribute comes once for each.
                place.setdefault(row["tag"].upper().replace("XX", "xx"), self._attribute(row))
            for tag in _FUNCTIONAL_GROUPS:
                if tag in module:
                    module[tag]["items"] = {"include": [{"ref": "FuncGroup"}]}
            if key == f"module {_CONTENT}":
                _make_recursive(module, key)
            self.modules[key] = module
        return key

    def _attribute(self, row: dict[str, Any]) -> dict[str, Any]:
        tag = row["tag"].upper().replace("XX", "xx")
        known = self.dictionary.get(tag, {"name": tag, "vr": ""})
        kind = row["type"] if row["type"] in ("1", "1C", "2", "2C") else "3"
        attribute: dict[str, Any] = {"name": known["name"], "type": kind}
        if kind in ("1C", "2C", "3"):
            condition = self._conditions.parse(_words(row["description"]))
            if condition.type != "U":
                attribute["cond"] = condition
        node = _docbook(row["description"], [reference["sourceUrl"] for reference in row["externalReferences"]])
        try:
            found = self._enums.parse(node, known["vr"])
        except ValueError:  # the text lists the values of another attribute, of another type
            found = []
        enums = [enum for enum in found if enum.pop("tag", tag) == tag]
        if enums and known["vr"] not in _FREE_TEXT:
            attribute["enums"] = enums
        return attribute

    def _section(self, name: str) -> ElementTree.Element | None:
        if name not in self._sections:
            return None
        # Those within a list or a table are about something else: dicom-validator does not look there either.
        return _docbook(re.sub(r"<(ol|ul|table)\b.*</\1>", "", self._sections[name], flags=re.DOTALL), [])


def _make_recursive(module: dict[str, Any], key: str) -> None:
    """Let content hold content, to any depth; the JSON does not say which attributes belong to which value type."""
    children = module[_CONTENT_SEQUENCE]["items"]
    for level in (module, children):
        for tag, attribute in level.items():
            if tag != _VALUE_TYPE:
                attribute["type"] = "3"
                attribute.pop("cond", None)
    children["include"] = [{"ref": key}]


def _tag(path_part: str) -> str:
    return f"({path_part[:4]},{path_part[4:]})".upper().replace("XX", "xx")


def _words(markup: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", markup)).split())


def _docbook(markup: str, urls: list[str]) -> ElementTree.Element:
    """Return the lists of values and the references of a description, as the standard's own XML has them."""
    node = ElementTree.Element(f"{_DOCBOOK}td")
    for title, entries in re.findall(r"<strong>([^<]*)</strong>\s*</p>\s*<dl>(.*?)</dl>", markup, re.DOTALL):
        values = ElementTree.SubElement(node, f"{_DOCBOOK}variablelist")
        ElementTree.SubElement(values, f"{_DOCBOOK}title").text = _words(title)
        for term in re.findall(r"<dt>(.*?)</dt>", entries, re.DOTALL):
            entry = ElementTree.SubElement(values, f"{_DOCBOOK}varlistentry")
            ElementTree.SubElement(entry, f"{_DOCBOOK}term").text = _words(term)
    paragraph = ElementTree.SubElement(node, f"{_DOCBOOK}para")
    for url in urls:
        link = "sect_" + url.rpartition("#sect_")[2]
        ElementTree.SubElement(paragraph, f"{_DOCBOOK}xref", linkend=link)
    return node
