"""Catalogues are complete and compiled; dates, plurals and source news read well."""

import io
import re
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po

import aggregator.publish
from aggregator.model import Evidence, EvidenceKind, FeedEvent, FeedEventKind
from aggregator.publish.translations import load_translator

REPOSITORY = Path(__file__).resolve().parents[2]
PUBLISH = Path(aggregator.publish.__file__).parent
CATALOGUES = sorted(PUBLISH.glob("locale/*/LC_MESSAGES/aggregator.po"))
NBSP = "\u00a0"


def read_catalogue(path):
    with path.open("rb") as file:
        return read_po(file, locale=path.parts[-3], abort_invalid=True)


def extract_messages():
    """Message and context of everything in the code and the templates."""
    with (REPOSITORY / "pyproject.toml").open("rb") as file:
        mappings = tomllib.load(file)["tool"]["babel"]["mappings"]
    methods = [(mapping["pattern"], mapping["method"]) for mapping in mappings]
    extracted = extract_from_dir(PUBLISH, methods)
    return {(message, context) for _, _, message, _, context in extracted}


@pytest.fixture(params=CATALOGUES, ids=lambda path: path.parts[-3])
def path(request):
    return request.param


def test_there_is_a_french_catalogue():
    assert "fr" in {path.parts[-3] for path in CATALOGUES}


def test_catalogue_translates_every_message(path):
    """Otherwise run `make translations` and fill in what is empty."""
    catalogue = read_catalogue(path)
    assert {(message.id, message.context) for message in catalogue if message.id} == (
        extract_messages()
    )
    for message in catalogue:
        strings = [message.string] if isinstance(message.string, str) else message.string
        assert all(strings), message.id
        assert not message.id or not message.fuzzy, message.id
        assert list(message.check(catalogue)) == []


def test_compiled_catalogue_is_up_to_date(path):
    """Otherwise run `make translations`."""
    compiled = io.BytesIO()
    write_mo(compiled, read_catalogue(path))
    compiled.seek(0)
    with path.with_suffix(".mo").open("rb") as file:
        assert read_messages(file) == read_messages(compiled)


def read_messages(file):
    return [(message.id, message.context, message.string) for message in read_mo(file)]


def test_french_has_a_no_break_space_before_double_punctuation():
    (path,) = (path for path in CATALOGUES if path.parts[-3] == "fr")
    for message in read_catalogue(path):
        if message.id:
            strings = [message.string] if isinstance(message.string, str) else message.string
            assert not any(re.search(r"[^\u00a0][:;!?»]|«[^\u00a0]", text) for text in strings)


@pytest.mark.parametrize(
    ("language", "code", "first", "second", "month"),
    [
        ("en", "en", "December 1, 2026", "December 2, 2026", "December 2026 (2)"),
        ("en-GB", "en", "1 December 2026", "2 December 2026", "December 2026 (2)"),
        ("fr", "fr", "1er décembre 2026", "2 décembre 2026", "décembre 2026 (2)"),
        ("FR-be", "fr", "1er décembre 2026", "2 décembre 2026", "décembre 2026 (2)"),
        ("de", "en", "December 1, 2026", "December 2, 2026", "December 2026 (2)"),
        ("xx-Nowhere", "en", "December 1, 2026", "December 2, 2026", "December 2026 (2)"),
    ],
)
def test_language_and_dates(language, code, first, second, month):
    translator = load_translator(language)
    assert translator.code == code
    assert translator.day(date(2026, 12, 1)) == first
    assert translator.day(date(2026, 12, 2)) == second
    assert translator.month("2026-12.002") == month


@pytest.mark.parametrize(
    ("kind", "message", "english", "french"),
    [
        ("recovered", "answers again", ("answers again", ""), ("répond de nouveau", "")),
        ("moved", "moved for good: to https://b.example/f",
         ("moved permanently; in feeds.toml, change its address to https://b.example/f", ""),
         (f"déplacée définitivement{NBSP}; dans feeds.toml, remplacez son adresse par https://b.example/f", "")),
        ("silent", "no entry since 2025-10-01; it is now asked once a week",
         ("no new entries since October 1, 2025; now polled once a week", ""),
         (f"aucun nouvel article depuis le 1er octobre 2025{NBSP}; consultée désormais une fois par semaine", "")),
        ("gone", "gone for good", ("gone for good; unsubscribe, or find its new address", ""),
         (f"disparue définitivement{NBSP}; désabonnez-vous ou cherchez sa nouvelle adresse", "")),
        ("broken", "failing since 2026-11-20: HTTP 404: see 2026-11-21",
         ("failing since November 20, 2026:", "HTTP 404: see 2026-11-21"),
         (f"en erreur depuis le 20 novembre 2026{NBSP}:", "HTTP 404: see 2026-11-21")),
        ("broken", "HTTP 404", ("failing:", "HTTP 404"), (f"en erreur{NBSP}:", "HTTP 404")),
        ("moved", "elsewhere", ("", "elsewhere"), ("", "elsewhere")),
    ],
)  # fmt: skip
def test_source_news(kind, message, english, french):
    event = FeedEvent("k", "A", FeedEventKind(kind), message, datetime(2026, 11, 24, tzinfo=UTC))
    assert load_translator("en").news(event) == english
    assert load_translator("fr").news(event) == french


@pytest.mark.parametrize(
    ("language", "none", "one", "many"),
    [
        ("en", "0 entries", "1 entry", "2 entries"),
        ("fr", "0 article", "1 article", "2 articles"),
    ],
)
def test_plurals(language, none, one, many):
    ngettext = load_translator(language).catalogue.ngettext
    forms = [ngettext("%(num)d entry", "%(num)d entries", num) % {"num": num} for num in (0, 1, 2)]
    assert forms == [none, one, many]


def test_reasons_without_the_titles_of_private_clippings():
    similar = Evidence(EvidenceKind.SIMILAR, "commons, gardens", "", 0.5)
    meaning = Evidence(EvidenceKind.MEANING, "", "", 0.5)
    english, french = load_translator("en"), load_translator("fr")
    assert english.reason(similar) == "similar to the clippings of this tag: commons, gardens"
    assert english.reason(meaning) == "similar in meaning to the clippings of this tag"
    assert french.reason(similar) == (
        "proche des extraits de cette étiquette\u00a0: commons, gardens"
    )
