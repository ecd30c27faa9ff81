"""The reader's decisions, previews and suggestions, with complete installations in this process."""

from contextlib import closing
from datetime import timedelta

from sqlalchemy import event

from aggregator.inspect.suggestions import decide, preview_retag, suggest_aliases, suggest_sources
from aggregator.model import Clipping
from aggregator.publish.folder import OutputFolder
from aggregator.run import pipeline
from aggregator.run.match import build_tag_vocabulary, match_fingerprint
from aggregator.run.project import open_project
from tests.harness import NOON, item, rss
from tests.run.test_pipeline import titles

DAY = timedelta(days=1)
LINK = "https://feed.example/a"
CLIPPINGS = "• Kept\n    https://kept.example/p\n\n    A passage.\n\n    #Communs #P2P\n"


def load_settings(installation):
    project = open_project(installation.root / "feeds.toml", {}, NOON)
    return project.config, project.clippings


def decide_about(installation, tag, confirmed, entry=LINK):
    store = installation.store()
    config, clippings = load_settings(installation)
    entries = decide(entry, tag, confirmed, config, clippings, store, NOON)
    store.close()
    return entries


def retag(installation, now=NOON):
    store = installation.store()
    config, clippings = load_settings(installation)
    moves = preview_retag(config, clippings, store)
    report = pipeline.retag(config, clippings, store, OutputFolder(installation.outputs, ()), now)
    store.close()
    return moves, report


def test_decision_stays_until_it_is_taken_back(installation, publisher):
    publisher["/feed"] = rss(item("Les communs"), item("Tomates", link="https://feed.example/b"))
    installation.configure([publisher.url("/feed")], clippings=CLIPPINGS)
    installation.run()
    assert "Les communs" in titles(installation)
    assert decide_about(installation, "communs", False)
    assert decide_about(installation, "P2P", True, "https://feed.example/b")
    installation.run(NOON + DAY)
    assert titles(installation) == ["Kept"]
    assert set(titles(installation, "p2p")) == {"Kept", "Tomates"}
    # The entry is edited, and there are more clippings: the decision stays.
    publisher["/feed"] = rss(item("Les communs, les communs", body="communs"))
    installation.write(
        "clippings.txt", CLIPPINGS + CLIPPINGS.replace("/p", "/q").replace("Kept", "Too")
    )
    installation.run(NOON + 2 * DAY)
    assert set(titles(installation)) == {"Kept", "Too"}
    assert "Tomates" in titles(installation, "p2p")
    # Then the reader takes it back.
    decide_about(installation, "communs", None)
    installation.run(NOON + 3 * DAY)
    assert "Les communs, les communs" in titles(installation)


def test_successive_decisions_apply_before_retraining(installation, publisher):
    """The model is trained again only after the number of decisions has doubled."""
    bees = [
        item(f"Ruche {n}", f"https://feed.example/{n}", body="Des abeilles au rucher")
        for n in range(6)
    ]
    publisher["/feed"] = rss(*bees, language="fr")
    installation.configure([publisher.url("/feed")], '[tags."P2P"]\nrecall = "high"\n', CLIPPINGS)
    installation.run()
    for number in range(4):
        decide_about(installation, "P2P", number != 1, f"https://feed.example/{number}")
        installation.run(NOON + (number + 1) * DAY)
    expected = {"Ruche 0", "Ruche 2", "Ruche 3"}
    published = set(titles(installation, "p2p"))
    assert expected <= published
    assert "Ruche 1" not in published


def test_decisions_while_a_run_removes_the_clipping(installation):
    installation.configure(clippings=CLIPPINGS)
    installation.run()
    assert decide_about(installation, "P2P", True, "https://kept.example/p")
    tables = ("decision", "minhash_band", "match", "entry")
    with closing(installation.store()) as store:

        @event.listens_for(store.database.engine, "after_cursor_execute", once=True)
        def _(*_):
            installation.sql(*(f'DELETE FROM "{table}"' for table in tables))

        assert [decision.tag for decision in store.training.decisions()] == ["p2p"]
        assert store.training.decisions() == []


def test_retag_preview_lists_entries_of_a_new_alias(installation, publisher):
    publisher["/feed"] = rss(
        *(item(f"Ruches {n}", link=f"https://feed.example/{n}") for n in range(30))
    )
    installation.configure([publisher.url("/feed")], clippings=CLIPPINGS)
    installation.run()
    more = '[publish]\nbackfill = 4\n[tags."Communs"]\naliases = ["ruches"]\n'
    installation.configure([publisher.url("/feed")], more, CLIPPINGS)
    moves, report = retag(installation, NOON + DAY)
    (move,) = moves
    assert (move.tag, len(move.enters), move.leaves) == ("Communs", 30, ())
    assert report.matched == 30
    assert len([title for title in titles(installation) if title != "Kept"]) == 4
    assert retag(installation, NOON + DAY)[0] == []


def test_retag_reads_new_clippings_and_polls_nothing(installation, publisher):
    publisher["/feed"] = rss(item("Les semences"))
    installation.configure([publisher.url("/feed")], clippings=CLIPPINGS)
    installation.run()
    requests = len(publisher.requests("/feed"))
    installation.write("clippings.txt", CLIPPINGS.replace("#P2P", "#P2P #Semences"))
    retag(installation, NOON + DAY)
    assert set(titles(installation, "semences")) == {"Kept", "Les semences"}
    assert len(publisher.requests("/feed")) == requests


def test_model_is_trained_once(installation, publisher):
    publisher["/feed"] = rss(item("Les communs"))
    installation.configure([publisher.url("/feed")], clippings=CLIPPINGS)
    installation.run()
    store = installation.store()
    config, clippings = load_settings(installation)
    fingerprint = match_fingerprint(build_tag_vocabulary(config, clippings), store)
    model = store.training.load_model(fingerprint)
    assert model
    assert store.training.load_model("another") is None
    publisher["/feed"] = rss(item("Les communs"), item("Les P2P", link="https://feed.example/b"))
    installation.run(NOON + DAY)
    assert store.training.load_model(fingerprint) == model
    store.close()


def test_sample_does_not_depend_on_order_of_entries(tmp_path, publisher):
    from tests.harness import Installation

    documents = [
        rss(item(f"T {n}", link=f"https://feed.example/{n}"), title=f"F{n}") for n in range(6)
    ]
    samples = []
    for name, order in (("one", range(6)), ("other", reversed(range(6)))):
        (tmp_path / name).mkdir()
        installation = Installation(tmp_path / name)
        for number in range(6):
            publisher[f"/{number}"] = documents[number]
        installation.configure([publisher.url(f"/{number}") for number in order])
        installation.run()
        store = installation.store()
        assert store.training.count_entries() == 6
        samples.append([entry.title for entry in store.training.sample_entries(4)])
        store.close()
    assert samples[0] == samples[1]
    assert len(samples[0]) == 4


def test_suggested_and_idle_sources(installation, publisher):
    body = '&lt;p&gt;&lt;a href="https://linked.example/{n}"&gt;x&lt;/a&gt;&lt;/p&gt;'
    publisher["/good"] = rss(
        *(item(f"Communs {n}", f"https://feed.example/{n}", body=body.format(n=n)) for n in range(6)),
        title="Good",
    )  # fmt: skip
    publisher["/idle"] = rss(item("Tomates", link="https://idle.example/t"), title="Idle")
    installation.configure(
        [publisher.url("/good"), publisher.url("/idle")],
        clippings=CLIPPINGS + CLIPPINGS.replace("/p", "/q"),
    )
    installation.run()
    store = installation.store()
    config, clippings = load_settings(installation)
    suggestions = suggest_sources(config, clippings, store)
    store.close()
    assert suggestions.missing == (("kept.example", 2, 0), ("linked.example", 0, 6))
    assert [title.rpartition("/")[2] for title in suggestions.idle] == ["idle"]


def test_aliases_from_clippings(installation):
    installation.configure(more='[tags."Vélo"]\naliases = ["bicyclette"]\n', clippings=CLIPPINGS)
    config, _ = load_settings(installation)
    tags = (
        "P2P",
        "Peer_to_peer",
        "Coopérative",
        "Coopératives",
        "open_data",
        "OpenData",
        "Vélo",
        "bicyclette",
        "Gand",
    )
    aliases = suggest_aliases(
        config, [Clipping("T", None, "", tags), Clipping("T", None, "", ("Coopératives",))]
    )
    assert {(alias.tag, alias.alias, alias.why) for alias in aliases} == {
        ("P2P", "Peer_to_peer", "the initials"),
        ("Coopératives", "Coopérative", "forms of one word"),
        ("open_data", "OpenData", "the same letters"),
    }


def test_missing_clippings_are_a_warning(installation, publisher):
    publisher["/feed"] = rss(item("Les communs"))
    installation.configure([publisher.url("/feed")], '[tags."Communs"]\n')
    report = installation.run()
    assert any("no clippings with tags" in warning for warning in report.warnings)
    assert titles(installation) == ["Les communs"]
