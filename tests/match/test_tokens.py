"""Words, stems and languages."""

import pytest

from aggregator.match.text_vectors import read_document
from aggregator.match.tokens import content_stem, guess_language, read_words


def test_language_of_the_text_precedes_the_declared_one():
    french = "Le rucher est dans la vallée et les abeilles sont au travail pour la ruche"
    assert guess_language(french.split(), "en") == "fr"
    assert guess_language(["Abeilles"], "en") == "en"
    assert guess_language(["Abeilles"], None) is None


def test_languages_without_stemmer_are_alike():
    assert (
        read_document("Miel", "Ruche", "xx").language
        == read_document("Miel", "", None).language
        == ""
    )
    assert read_document("Miel", "Ruche", "fr-CA").language == "fr"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("les ruches et vous", "en"),  # two French words say too little
        ("les ruches pour cette dame, qui est la", "fr"),
        ("qui cette ce", "en"),
        ("qui cette ce dans", "fr"),
        # Four French words against three English ones: not clear enough.
        ("qui cette ce dans which not this", "de"),
        ("qui cette ce dans ne sur which not this be", "fr"),  # six against four
        ("qui cette ce dans ne which not this be", "de"),
    ],
)
def test_language_needs_four_function_words_and_a_clear_lead(text, language):
    declared = "de" if language == "de" else "en"
    assert guess_language(text.split(), declared) == language


def test_function_words_and_single_letters_have_no_content():
    assert content_stem("Les", "fr") == content_stem("the", "fr") == content_stem("x", "fr") == ""
    assert content_stem("ABEILLES", "fr") == "abeil"
    assert content_stem("Été", "") == "ete"


def test_surface_is_the_text_between_words():
    words = read_words("Les «biens  communs» — urbains")
    assert words.surface(1) == "biens"
    assert words.surface(1, 3) == "biens  communs» — urbains"
    assert (words.word_at(0), words.word_at(1), words.word_at(5)) == (0, 1, 1)
