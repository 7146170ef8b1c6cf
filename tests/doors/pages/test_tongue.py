"""Sentences in both languages: every one that a page says is in the catalogues, with the same places for facts."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import tessera.doors.pages
from tessera.doors.pages import places as addresses
from tessera.doors.pages.tongue import Tongue, catalogue

PAGES = Path(tessera.doors.pages.__file__).parent
KEYWORDS = {"_": None, "N_": None, "many": (1, 2), "tongue": None}


def extracted() -> dict[str, str | None]:
    """Every sentence of the pages -> the plural that goes with it."""
    found: dict[str, str | None] = {}
    methods = [("**.html", "jinja2"), ("**.py", "python")]
    options = {"**.html": {"extensions": "", "silent": "false", "trimmed": "false"}}
    for _, _, message, _, _ in extract_from_dir(str(PAGES), methods, options, keywords=KEYWORDS):
        one, more = message if isinstance(message, tuple) else (message, None)
        found[one] = more
    return found


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


SAID = extracted()


def test_the_pages_sentences_are_found() -> None:
    assert len(SAID) > 50 and "Customers" in SAID and "Skip to content" in SAID


def test_every_sentence_has_its_translation_and_no_translation_is_left_over() -> None:
    known = set(catalogue("zh"))
    assert sorted(set(SAID) - known) == []
    assert sorted(known - set(SAID)) == []


@pytest.mark.parametrize("file", sorted((PAGES / "locale" / "zh").glob("*.po")), ids=lambda f: f.stem)
def test_no_translation_is_fuzzy_empty_or_loses_a_fact(file: Path) -> None:
    with file.open("rb") as text:
        for message in read_po(text, locale="zh", abort_invalid=True):
            if not message.id:
                continue
            ids = message.id if isinstance(message.id, tuple) else (message.id,)
            strings = message.string if isinstance(message.string, tuple) else (message.string,)
            assert not message.fuzzy and all(strings), message.id
            for string in strings:
                assert places(string) == places(ids[-1]), message.id
                assert not re.search(r"[\u4e00-\u9fff][,;!?](?!\d)", string), f"half-width punctuation: {string}"


def test_what_every_page_says_is_said_alike_on_all_of_them() -> None:
    """A group of pages may have its own word for what it shows; what stands around them has one."""
    around = catalogue("zh", "frame")
    with (PAGES / "locale" / "zh" / "frame.po").open("rb") as text:
        names = [m.id[0] if isinstance(m.id, tuple) else m.id for m in read_po(text, locale="zh") if m.id]
    for file in sorted((PAGES / "locale" / "zh").glob("*.po")):
        own = catalogue("zh", file.stem)
        assert [(n, own[n]) for n in names if own[n] != around[n]] == [], file.name


def test_a_word_means_on_its_own_pages_what_they_say_it_means() -> None:
    assert Tongue("zh", group="trust")("Status") != Tongue("zh", group="run")("Status")
    assert addresses.MENU.pages and all((PAGES / "locale" / "zh" / f"{p.words}.po").is_file() for p in addresses.MENU.pages)


def test_every_template_is_plain_of_words_that_nobody_translates() -> None:
    """Text between tags is an expression, a number or a sign."""
    bare = {}
    for file in files("tessera.doors.pages").joinpath("templates").iterdir():
        text = re.sub(r"\{% block live %\}.*?\{% endblock %\}", " ", file.read_text("utf-8"), flags=re.S)
        text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", " ", text, flags=re.S)
        text = re.sub(r"<(code|kbd|pre|script|title)[^>]*>.*?</\1>", " ", text, flags=re.S)
        text = re.sub(r"<[^>]*>", " ", text)
        words = [w for w in re.findall(r"[A-Za-z]{3,}", re.sub(r"&\w+;", " ", text)) if w != "Tessera"]
        if words:
            bare[file.name] = words
    assert bare == {}


def test_numbers_money_and_times_are_written_as_the_language_has_them() -> None:
    en, zh = Tongue("en", "Europe/Zurich"), Tongue("zh", "Asia/Shanghai", "CNY")
    assert (en.number(1234567.5, 1), zh.percent(0.1234, 1)) == ("1,234,567.5", "12.3%")
    assert (en.money(123456), zh.money(1999)) == ("€1,235", "¥19.99")
    at = datetime(2026, 1, 2, 23, 30, tzinfo=UTC)
    assert (en.moment(at), zh.day(at)) == ("3 Jan 2026, 00:30", "2026年1月3日")
    assert en.number(None) == zh.money(None) == "–"
    assert (en.ago(at, datetime(2026, 1, 5, 23, 30, tzinfo=UTC))) == "3 days ago"


def test_a_sentence_marked_for_later_is_a_plain_text() -> None:
    """N_("...") with anything but one literal cannot be found for the catalogues."""
    for file in PAGES.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "N_":
                assert len(node.args) == 1 and isinstance(node.args[0], ast.Constant), f"{file.name}:{node.lineno}"


def test_a_number_is_written_alike_whatever_the_engine_gave_it_as_and_nothing_is_no_minus_nothing() -> None:
    tongue = Tongue("en", "UTC", "EUR")
    for value in (1234.5, Decimal("1234.5")):
        assert tongue.number(value, 1) == "1,234.5"
    assert tongue.number(-0.04, 1) == "0.0" and tongue.number(10**18) == "1,000,000,000,000,000,000"
