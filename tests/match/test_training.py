"""What the clippings teach, and how it tells why."""

import time
from contextlib import suppress
from datetime import UTC, datetime

import numpy as np
import pytest

from aggregator.errors import StorageError
from aggregator.match import build_vocabulary
from aggregator.match.boilerplate import strip_feed_footer
from aggregator.match.features import DEFAULT_WEIGHTS, FEATURES
from aggregator.match.fitting import fit_logistic, held_out_folds
from aggregator.match.matcher import Matcher
from aggregator.match.sparse import TermTagMatrix
from aggregator.match.tag_model import TagModel
from aggregator.match.text_vectors import Lexicon, read_document
from aggregator.match.tokens import guess_language
from aggregator.match.training import Trainer
from aggregator.model import (
    Clipping,
    Decision,
    Entry,
    EvidenceKind,
    Feed,
    Role,
    StoredEntry,
    TagSettings,
)

NOTHING = TermTagMatrix.from_triples((), (3, 0))
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
BEES = [
    ("Le miel de printemps", "Les abeilles du rucher butinent le colza ; l'apiculteur récolte le miel."),
    ("Un essaim en ville", "L'apiculteur cueille un essaim d'abeilles et le pose dans une ruche vide."),
    ("Hiverner ses colonies", "Avant l'hiver, l'apiculteur nourrit les abeilles et isole le rucher."),
    ("Varroa", "Le varroa affaiblit les abeilles ; l'apiculteur traite chaque colonie du rucher."),
]  # fmt: skip
BIKES = [
    ("Changer une chambre", "Le pneu du vélo est crevé : démonter la roue et poser une chambre neuve."),
    ("Régler ses freins", "Les patins de frein du vélo usent la jante ; le câble se règle au levier."),
    ("La chaîne", "Une chaîne de vélo se nettoie, se graisse et se mesure avant que le pignon s'use."),
    ("Voyager léger", "Deux sacoches sur le porte-bagages du vélo, et le guidon reste libre."),
]  # fmt: skip


def clippings(bees=4, bikes=4):
    return [
        *(Clipping(title, f"https://b.example/{title}", text, ("Apiculture",)) for title, text in BEES[:bees]),
        *(Clipping(title, None, text, ("Mécanique",)) for title, text in BIKES[:bikes]),
    ]  # fmt: skip


def stored(title, text="", language="fr", row=1, role=Role.SUBSCRIPTION):
    entry = Entry("k", "urn:x", title, text=text, language=language)
    return StoredEntry(row, "https://a.example/", Feed("urn:f", "F"), role, entry, NOW, NOW)


def matcher(kept, settings=(), decisions=(), entries=()):
    vocabulary = build_vocabulary(kept, settings, ())
    learned = Trainer(vocabulary, kept, entries, decisions).train()
    return Matcher(vocabulary, kept, (), learned, decisions)


UNNAMED = stored("Au rucher", "L'apiculteur visite ses abeilles, et chaque ruche de la colonie.")


def test_an_entry_that_names_no_tag_is_known_by_its_words():
    best, *_ = matcher(clippings(), [TagSettings("Apiculture", recall="high")]).match(UNNAMED)
    assert best.tag == "apiculture"
    (evidence,) = best.evidence
    assert evidence.kind is EvidenceKind.SIMILAR
    assert {"apiculteur", "abeilles"} & set(evidence.detail.split(", "))
    assert any(title in evidence.where for title, _ in BEES)


def test_words_of_one_tag_do_not_speak_for_another():
    scores = {m.tag: m.score for m in matcher(clippings()).score(UNNAMED)}
    assert scores["apiculture"] > 5 * scores.get("mecanique", 0.0)


def test_one_clipping_is_enough_to_be_near():
    (match,) = matcher(clippings(1, 1)).score(
        stored(
            "Au rucher", "L'apiculteur et les abeilles récoltent le miel du colza, au printemps."
        )
    )
    assert match.tag == "apiculture"
    assert match.evidence[0].where == "Le miel de printemps"


def test_the_same_clippings_teach_the_same():
    kept = clippings()
    vocabulary = build_vocabulary(kept, (), ())
    entries = [UNNAMED.entry] * 3
    one, other = (Trainer(vocabulary, kept, entries).train().to_bytes() for _ in range(2))
    assert one == other


def test_what_was_learned_comes_back_from_the_store():
    kept = clippings()
    vocabulary = build_vocabulary(kept, (), ())
    learned = Trainer(vocabulary, kept, [UNNAMED.entry]).train()
    again = TagModel.from_bytes(learned.to_bytes())
    assert again.to_bytes() == learned.to_bytes()
    one, other = (Matcher(vocabulary, kept, (), known).score(UNNAMED) for known in (learned, again))
    assert [match.tag for match in one] == [match.tag for match in other]
    for match, same in zip(one, other, strict=True):
        assert match.score == pytest.approx(same.score, abs=1e-3)


@pytest.mark.parametrize("data", [b"", b"nothing", b"PK\x03\x04" + b"\0" * 50])
def test_what_is_damaged_is_said_to_be(data):
    with pytest.raises(StorageError, match="the stored tag model cannot be read"):
        TagModel.from_bytes(data)


def test_where_a_byte_is_another_nothing_but_that_is_raised():
    data = Trainer(build_vocabulary((), (), ()), (), ()).train().to_bytes()
    for at in (*range(200), *range(len(data) - 1500, len(data))):  # of the archive itself
        damaged = bytearray(data)
        damaged[at] ^= 0x5A
        with suppress(StorageError):
            TagModel.from_bytes(bytes(damaged))


def test_another_format_is_not_read():
    learned = Trainer(build_vocabulary((), (), ()), (), ()).train()
    data = learned.to_bytes()
    assert TagModel.from_bytes(data).weights.tolist() == pytest.approx(
        list(DEFAULT_WEIGHTS), abs=1e-6
    )


def test_confirmed_entries_teach_and_rejected_ones_raise_the_threshold():
    entry = stored(
        "Le vieux verger", "On taille les pommiers du verger, puis on presse le cidre.", row=7
    )
    kept = clippings()
    decided = [Decision(7, entry.entry, "apiculture", confirmed=True)]
    like = stored("Cidre", "Les pommiers du verger donnent le cidre que l'on presse.", row=8)
    before = {m.tag: m.score for m in matcher(kept).score(like)}
    after = {m.tag: m.score for m in matcher(kept, decisions=decided).score(like)}
    assert after["apiculture"] > before.get("apiculture", 0)
    (match,) = matcher(kept, decisions=decided).match(entry)
    assert (match.tag, match.score, match.evidence[0].kind) == (
        "apiculture",
        1.0,
        EvidenceKind.DECISION,
    )
    refused = [Decision(1, UNNAMED.entry, "apiculture", confirmed=False)]
    assert matcher(kept, decisions=refused).threshold("apiculture") > matcher(kept).threshold(
        "apiculture"
    )
    assert "apiculture" not in {m.tag for m in matcher(kept, decisions=refused).score(UNNAMED)}


def test_thresholds():
    settings = [TagSettings("Apiculture", recall="high"), TagSettings("Mécanique", threshold=0.42)]
    known = matcher(clippings(), settings)
    assert known.threshold("mecanique") == 0.42
    assert known.threshold("apiculture") < matcher(clippings()).threshold("apiculture")
    assert matcher(clippings(1, 1)).threshold("apiculture") < matcher(clippings()).threshold(
        "apiculture"
    )


def test_the_fit_finds_what_made_the_data_and_stays_near_its_prior_without_any():
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(20_000, 2))
    true = np.array([1.5, -0.5, -1.0])
    right = (rng.random(20_000) < 1 / (1 + np.exp(-(rows @ true[:2] + true[2])))).astype(float)
    assert fit_logistic(rows.T, right, np.zeros(3), 1.0) == pytest.approx(true, abs=0.1)
    assert fit_logistic(rows[:5].T, right[:5], true, 1000.0) == pytest.approx(true, abs=0.01)
    assert len(DEFAULT_WEIGHTS) == len(FEATURES) + 1


@pytest.mark.parametrize("count", [0, 1, 2, 13, 20, 21, 199, 2000])
def test_each_clipping_is_held_out_once(count):
    scored = [number for _, some in held_out_folds(count, 10**6) for number in some]
    assert scored == list(range(count))
    assert all(set(some) <= set(left_out) for left_out, some in held_out_folds(count, 10**6))


def test_of_very_many_clippings_the_last_are_held_out():
    ((left_out, scored),) = held_out_folds(20_000, 40)
    assert (left_out, scored) == (range(19_960, 20_000), range(19_960, 20_000))
    assert sum(len(some) for _, some in held_out_folds(1000, 100)) == 100


def test_without_clippings_names_rules_and_categories_still_match():
    known = matcher([], [TagSettings("Communs", match=("fab ?lab",))])
    assert [m.tag for m in known.match(stored("Les communs"))] == ["communs"]
    assert [m.tag for m in known.match(stored("Un fablab"))] == ["communs"]


@pytest.mark.parametrize("name", ["🌱", "开源", "Ελλάδα", "C++", "l’eau"])
def test_names_in_any_script(name):
    known = matcher([Clipping("T", None, "", (name,))])
    (match,) = known.match(stored(f"Hier {name} demain", language=None))
    assert match.evidence[0].kind is EvidenceKind.PHRASE


def test_a_clipping_and_an_entry_in_a_language_nobody_knows():
    text = "Qorqmazo vindelu astripen kolmava dretti."
    known = matcher([Clipping("Zzq", None, text, ("Xyz",)), *clippings()])
    scores = {m.tag: m.score for m in known.score(stored("Vindelu", text, language="tlh"))}
    assert scores["xyz"] > 0.1


def test_a_megabyte_of_text_is_matched_in_bounded_time():
    known = matcher(clippings())
    began = time.process_time()
    for text in ("abeille " * 130_000, "a@" * 500_000, "x" * 1_000_000, "\u0301" * 1_000_000):
        known.match(stored("Long", text))
    assert time.process_time() - began < 20  # seconds; it would be hours if it grew with the square


def test_fifty_thousand_tags():
    settings = [TagSettings(f"tag numero{number}") for number in range(50_000)]
    (match,) = matcher([], settings).match(stored("Le tag numero777 est là"))
    assert match.tag == "tag numero777"


def test_the_language_of_a_text_comes_before_what_its_feed_declares():
    french = "Le rucher est dans la vallée et les abeilles sont au travail pour la ruche"
    assert guess_language(french.split(), "en") == "fr"
    assert guess_language(["Abeilles"], "en") == "en"
    assert guess_language(["Abeilles"], None) is None


def test_function_words_tell_nothing_and_break_pairs():
    entries = [Entry("", "", "", text="Les abeilles de la ruche noire", language="fr")] * 3
    learned = Trainer(build_vocabulary((), (), ()), (), entries).train()
    assert set(learned.lexicon.terms) == {"abeil", "ruch", "noir", "ruch noir"}


def test_the_title_counts_twice_and_the_beginning_more_than_the_rest():
    lexicon = Lexicon(
        {"miel": 0, "ruche": 1, "colza": 2}, np.ones(3), NOTHING, np.ones(0), np.zeros(0)
    )
    text = f"ruche {'de ' * 200} colza"
    (vector,) = lexicon.vectors([read_document("Miel", text, None)])
    weights = dict(zip(vector.ids.tolist(), vector.values.tolist(), strict=True))
    assert weights[0] > weights[1] > weights[2] > 0
    assert np.linalg.norm(vector.values) == pytest.approx(1)


def test_matching_together_is_matching_one_by_one():
    known = matcher(clippings(), [TagSettings("Apiculture", recall="high")])
    entries = [stored(title, text) for title, text in BEES + BIKES] + [UNNAMED, stored("", "")]
    together = [matches for _, matches in known.match_all(entries)]
    assert together == [known.match(entry) for entry in entries]
    assert any(together)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Bees.\nThe post Bees appeared first on Commons Blog.", "Bees."),
        ("Abeilles.\n\nL’article Abeilles est apparu en premier sur Les communs.", "Abeilles."),
        ("Bees.\nContinue reading Commons →\nThe post Bees appeared first on X.", "Bees."),
        ("The post was late.\nWe waited.", "The post was late.\nWe waited."),
        ("The post Bees appeared first on X.\nMore of it.", "The post Bees appeared first on X.\nMore of it."),
    ],
)  # fmt: skip
def test_what_programs_write_below_an_entry_is_not_read(text, kept):
    assert strip_feed_footer(text).strip() == kept


@pytest.mark.parametrize(
    "text",
    ["Read more about how commons work, in this piece.", "The post office appeared first on."],
)
def test_a_text_of_one_line_is_read_whatever_it_says(text):
    assert strip_feed_footer(text) == text


def test_languages_without_stemmer_are_read_alike():
    assert (
        read_document("Miel", "Ruche", "xx").language
        == read_document("Miel", "", None).language
        == ""
    )
    assert read_document("Miel", "Ruche", "fr-CA").language == "fr"


def test_a_rejected_tag_lifts_no_tag_above_it():
    settings = [TagSettings("Commons", broader=("Economy",)), TagSettings("Economy")]
    entry = stored("The commons", row=7)
    no = [Decision(7, entry.entry, "commons", confirmed=False)]
    assert {match.tag for match in matcher([], settings).match(entry)} == {"commons", "economy"}
    assert not [m for m in matcher([], settings, no).match(entry) if not m.near]


def test_a_decision_holds_when_its_tag_becomes_an_alias():
    settings = [TagSettings("Communs", aliases=("Commons",))]
    entry = stored("The commons", row=7)
    no = [Decision(7, entry.entry, "commons", confirmed=False)]
    assert matcher([], settings, no).match(entry) == ()


def test_a_confirmed_entry_whose_tag_is_no_more_teaches_nothing():
    entry = stored("The commons", row=7)
    yes = [Decision(7, entry.entry, "vanished", confirmed=True)]
    vocabulary = build_vocabulary(clippings(), (), ())
    assert len(Trainer(vocabulary, clippings(), (), yes).train().examples) == len(clippings())


def test_tags_above_each_other_do_not_depend_on_their_names():
    scores = []
    for name in ("Alpha", "Zeta"):
        settings = [TagSettings(name, broader=("Beta",)), TagSettings("Beta", broader=("Gamma",))]
        found = matcher([], settings).match(stored(f"{name} and Beta"))
        scores.append({m.score for m in found if m.tag == "gamma"})
    assert scores[0] == scores[1]


def test_a_blog_called_as_a_tag_does_not_lend_its_name_to_every_entry():
    known = matcher([], [TagSettings("Commons")])
    assert known.match(stored("Bees", "Honey.\nThe post Bees appeared first on Commons.")) == ()
    assert known.score(stored("Bees", "Honey.\nThe commons."))
