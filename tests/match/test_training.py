"""Models are trained on clippings and decisions."""

from aggregator.match import build_vocabulary
from aggregator.match.training import Trainer
from aggregator.model import Decision, Entry, EvidenceKind
from tests.match.samples import UNNAMED, french, make_clippings, train_matcher


def test_same_clippings_train_the_same_model():
    clippings = make_clippings()
    vocabulary = build_vocabulary(clippings, (), ())
    entries = [UNNAMED.entry] * 3
    first, second = (Trainer(vocabulary, clippings, entries).train().to_bytes() for _ in range(2))
    assert first == second


def test_confirmed_entries_train_and_rejected_ones_raise_the_threshold():
    entry = french(
        "Le vieux verger", "On taille les pommiers du verger, puis on presse le cidre.", row=7
    )
    clippings = make_clippings()
    decided = [Decision(7, entry.entry, "apiculture", confirmed=True)]
    like = french("Cidre", "Les pommiers du verger donnent le cidre que l'on presse.", row=8)
    before = {m.tag: m.score for m in train_matcher(clippings).score(like)}
    after = {m.tag: m.score for m in train_matcher(clippings, decisions=decided).score(like)}
    assert after["apiculture"] > before.get("apiculture", 0)
    (match,) = train_matcher(clippings, decisions=decided).match(entry)
    assert (match.tag, match.score, match.evidence[0].kind) == (
        "apiculture",
        1.0,
        EvidenceKind.DECISION,
    )
    refused = [Decision(1, UNNAMED.entry, "apiculture", confirmed=False)]
    assert train_matcher(clippings, decisions=refused).threshold("apiculture") > train_matcher(
        clippings
    ).threshold("apiculture")
    assert "apiculture" not in {
        m.tag for m in train_matcher(clippings, decisions=refused).score(UNNAMED)
    }


def test_confirmed_entry_of_a_deleted_tag_is_no_example():
    entry = french("The commons", row=7)
    yes = [Decision(7, entry.entry, "vanished", confirmed=True)]
    vocabulary = build_vocabulary(make_clippings(), (), ())
    assert len(Trainer(vocabulary, make_clippings(), (), yes).train().examples) == len(
        make_clippings()
    )


def test_function_words_are_no_terms_and_break_pairs():
    entries = [Entry("", "", "", text="Les abeilles de la ruche noire", language="fr")] * 3
    model = Trainer(build_vocabulary((), (), ()), (), entries).train()
    assert set(model.lexicon.terms) == {"abeil", "ruch", "noir", "ruch noir"}
