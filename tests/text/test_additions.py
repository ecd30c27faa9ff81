"""Our lines at the end of an entry and our categories are recognized, and nothing else."""

from functools import partial
from timeit import timeit

import pytest

from aggregator.model import Category
from aggregator.parse.sanitize import clean_html
from aggregator.publish.translations import load_translator
from aggregator.text.additions import footer_line, is_addition, remove_footer
from tests.publish.test_translations import CATALOGUES

NBSP = "\u00a0"
TEXT = "<p>Ce que l’auteur a écrit</p>"
WHY = "<p><small>Here because: “communs” in the title (#Communs).</small></p>"
PLACES = '<p><small>Also at: <a href="https://b.example/1">B</a>.</small></p>'

# All that versions have published, in English and French.
LINES = [
    WHY,
    "<p><small>Here because: clipped by the reader (#P2P); “a” in the text (#A, #B).</small></p>",
    "<p><small>Near miss: “a &amp; b” in the lead (#A).</small></p>",
    "<p><small>Nearly here: “a” in the text (#A).</small></p>",
    f"<p><small>Pourquoi ici{NBSP}: «{NBSP}a{NBSP}» dans le titre (#A){NBSP}; catégorie «{NBSP}c{NBSP}» (#C).</small></p>",
    f"<p><small>Presque{NBSP}: «{NBSP}a{NBSP}» dans le texte (#A).</small></p>",
    "<p><small>Ici parce que : « a » dans le titre (#A).</small></p>",
    "<p><small>Ici de peu s’en faut : « a » dans le titre (#A).</small></p>",
    PLACES,
    '<p><small>Also at: <a href="https://b.example/1">B</a>, <a href="https://c.example/1">C: D</a>.</small></p>',
    f'<p><small>Aussi sur{NBSP}: <a href="https://b.example/1">B</a>.</small></p>',
    '<p><small>Aussi sur : <a href="https://b.example/1">B</a>.</small></p>',
    '<p><small lang="en">Here because: a rule matches “x” (#A).</small></p>',
    f'<p><small lang="fr">Aussi sur{NBSP}: <a href="https://b.example/1">B</a>.</small></p>',
]


@pytest.mark.parametrize("line", LINES)
def test_line_of_an_aggregator_is_removed(line):
    for text in (TEXT, "", "plain text", "<p>Here because: of you</p>"):
        assert remove_footer(text + line, from_aggregator=True) == text
        assert remove_footer(clean_html(text + line, ""), from_aggregator=True) == text
        assert remove_footer(f"{text}\n{line}\n", from_aggregator=True) == text


def test_lines_of_earlier_loops_are_all_removed():
    assert remove_footer(TEXT + PLACES + WHY * 3 + PLACES + "\n" + WHY) == TEXT
    assert remove_footer(TEXT + "".join(LINES), from_aggregator=True) == TEXT


def test_mark_and_tags_need_no_known_document():
    assert remove_footer(TEXT + WHY) == TEXT
    assert remove_footer(TEXT + PLACES + WHY) == TEXT
    assert remove_footer(TEXT + footer_line("Also at: elsewhere.", "en")) == TEXT


@pytest.mark.parametrize(
    "own",
    [
        PLACES,
        "<p><small>Here because: I love you.</small></p>",
        "<p><small>Presque : une histoire.</small></p>",
        "<p><small>Photo: Ann (#Communs).</small></p>",
        f"{WHY}<p>The author goes on.</p>",
        f"<blockquote>{WHY}</blockquote>",
        f"<p>{WHY}x</p>",
        "<p><small>Here because: a (#A).</small> and more <small>b (#B).</small></p>",
        "<p><small>Here because: a (#A).<p>b (#B).</small></p>",
        "Here because: “communs” in the title (#Communs).",
        "</small></p>",
        "",
        "text \n",
    ],
)
def test_text_of_an_author_stays(own):
    assert remove_footer(own) == own
    assert remove_footer(TEXT + own) == TEXT + own


@pytest.mark.parametrize("own", ["<p><small>Photo: Ann.</small></p>", f"<div>{WHY}</div>", ""])
def test_other_lines_of_an_aggregator_stay(own):
    assert remove_footer(TEXT + own, from_aggregator=True) == TEXT + own


@pytest.mark.parametrize("language", ["en", *(path.parts[-3] for path in CATALOGUES)])
def test_labels_are_those_of_the_catalogues(language):
    gettext = load_translator(language).gettext
    for line in (
        gettext("Here because: %(reasons)s.", reasons="x"),
        gettext("Near miss: %(reasons)s.", reasons="x"),
        gettext("Also at: %(links)s.", links="x"),
    ):
        assert remove_footer(TEXT + footer_line(line, language)) == TEXT


def test_time_is_linear():
    for text in (
        WHY * 20_000,
        "<p><small>" * 100_000,
        "<p><small>Also at: " + "</small></p>" * 90_000,
    ):
        assert timeit(partial(remove_footer, text, from_aggregator=True), number=1) < 2


@pytest.mark.parametrize(
    ("category", "is_ours"),
    [
        (Category("Communs", "https://a.example/#tags", "#Communs"), True),
        (Category("clipped", "https://a.example/feeds/#marks", "Clipped by the reader"), True),
        (Category("clipped", "https://a.example/#marks"), True),
        (Category("Communs"), False),
        (Category("Communs", None, "#Communs"), False),
        (Category("Communs", "https://a.example/#tags"), False),
        (Category("Communs", "https://a.example/tags", "#Communs"), False),
        (Category("sold", "https://a.example/#marks"), False),
    ],
)
def test_categories_of_an_aggregator(category, is_ours):
    assert is_addition(category) == is_ours
