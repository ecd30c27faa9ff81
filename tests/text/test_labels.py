"""The names in a category."""

import pytest

from aggregator.text.labels import label_names, split_labels


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("communs", ("communs",)),
        ("communs, logement", ("communs", "logement")),
        ("communs;logement", ("communs", "logement")),
        ("communs | logement", ("communs", "logement")),
        ("#Communs", ("Communs",)),
        ("#a, #b,#a", ("a", "b")),
        ("Économie/Communs", ("Économie/Communs",)),
        (" , ;", ()),
        ("", ()),
        ("C#", ("C#",)),
        ("#communs #logement", ("communs", "logement")),
        ("communs、logement", ("communs", "logement")),
        ("communs · logement", ("communs", "logement")),
        ("＃communs", ("communs",)),
        ('"communs"', ("communs",)),
        ("« communs »", ("communs",)),
        ("#1 in sales", ("1 in sales",)),
    ],
)
def test_labels_of_one_element(text, labels):
    assert split_labels(text) == labels


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("communs, logement", "logement"),
        ("communs;logement", "communs"),
        ("#Communs", "Communs"),
        ("Économie/Communs", "Communs"),
        ("Économie/Communs", "Économie"),
        ("Économie / Communs", "Communs"),
        ("Économie > Communs", "Communs"),
        ("Économie » Communs", "Communs"),
        ("Economy::Commons", "Commons"),
        ("Top/Économie/Communs", "Communs"),
        ("Économie → Communs", "Communs"),
        ("Économie\\Communs", "Communs"),
        ("Arts, Culture & Co", "Arts, Culture & Co"),
        ("economy/commons", "economy/commons"),
    ],
)
def test_every_name_of_a_category(text, name):
    assert name in label_names(text)


def test_address_is_no_hierarchy():
    assert label_names("https://a.example/commons") == ("https://a.example/commons",)


def test_number_of_names_is_limited():
    assert len(label_names(",".join(map(str, range(10_000))))) <= 50
