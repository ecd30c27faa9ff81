"""Pruned entries of no tag: effects on publishers, subscribers and the reader."""

from contextlib import closing
from datetime import timedelta

import feedparser
import pytest

from tests.harness import NOON, Installation, item, rss

DAY = timedelta(days=1)
LATER = NOON + 200 * DAY
MORE = '[tags."Jardin"]\n[publish]\nbackfill = 99\narchive_all = true\n'
SOIL = "Une recette de tomates que personne n’avait demandée, avec du sel."
BEES = "Un jardin, des abeilles."


def tomatoes(number=1, body=SOIL, title=None, guid="", link=None):
    link = link or f"https://feed.example/{number}"
    guid = f"<guid isPermaLink='false'>{guid}</guid>" if guid else ""
    more = f"<category>cuisine</category><author>a@feed.example (Ann)</author>{guid}"
    return item(title or f"Tomates {number}", link, body=body, more=more)


def garden(number=9, body=BEES):
    return item("Le jardin", f"https://feed.example/{number}", body=body)


def column(installation, name, where="title LIKE 'Tomates%'"):
    rows = installation.sql(f"SELECT {name} FROM entry WHERE {where} ORDER BY id")
    return [value for (value,) in rows]


def ids(text):
    return [entry.id for entry in feedparser.parse(text).entries]


def archive(installation, name="all", month="2026-11"):
    return (installation.outputs / name / f"{month}.atom").read_text("utf-8")


@pytest.fixture
def pruned(installation, publisher):
    """An installation 200 days later, after the entry of no tag was pruned."""
    publisher["/feed"] = rss(tomatoes(), garden())
    installation.configure([publisher.url("/feed")], MORE)
    installation.run(NOON)
    assert installation.run(LATER).pruned == 1
    return installation


def serve(installation, publisher, *items, now=LATER + DAY):
    publisher["/feed"] = rss(*items)
    return installation.run(now)


def test_run_prunes_content_and_keeps_identity(installation, publisher):
    publisher["/feed"] = rss(tomatoes(), garden())
    installation.configure([publisher.url("/feed")], MORE)
    installation.run(NOON)
    columns = "key, atom_id, page, title, link, published, content_hash, first_seen_at, changed_at"
    text = (f"CAST({name} AS VARCHAR)" for name in columns.split(", "))
    identity = " || '|' || ".join(f"COALESCE({name}, '-')" for name in text)
    before = column(installation, identity)
    assert SOIL in archive(installation)
    assert installation.run(NOON + 180 * DAY - DAY / 2).pruned == 0  # that day has not ended
    assert installation.run(LATER).pruned == 1
    assert column(installation, identity) == before
    lists = (f"CAST({name} AS VARCHAR)" for name in ("authors", "categories", "enclosures"))
    content = "summary || content || text || " + " || ".join(lists)
    assert column(installation, content) == ["[][][]"]
    assert column(installation, "content", "title = 'Le jardin'") != [""]


def test_pruned_story_leaves_general_feeds_only(installation, publisher):
    publisher["/feed"] = rss(tomatoes(), garden())
    installation.configure([publisher.url("/feed")], MORE)
    installation.run(NOON)
    before = installation.snapshot()
    (tag,) = ids((installation.outputs / "jardin.atom").read_text("utf-8"))
    assert len(ids(archive(installation, "all"))) == 2
    assert set(ids((installation.outputs / "unmatched.atom").read_text("utf-8"))) != {tag}
    installation.run(LATER)
    after = installation.snapshot()
    assert before["jardin.atom"] == after["jardin.atom"]
    assert before["jardin/2026-11.atom"] == after["jardin/2026-11.atom"]
    for name in ("all.atom", "all/2026-11.atom"):
        assert ids(after[name][0].decode()) == [tag]
    assert ids(after["unmatched.atom"][0].decode()) == []
    installation.run(LATER + DAY)
    assert installation.snapshot() == after


def test_unchanged_entry_stays_pruned(pruned, publisher):
    before = pruned.snapshot()
    report = serve(pruned, publisher, tomatoes(), garden(), item("", "https://feed.example/x"))
    assert (report.new, report.modified) == (1, 0)
    assert column(pruned, "content") == [""]
    for name in ("jardin.atom", "near-miss.atom"):
        assert pruned.snapshot()[name] == before[name]


def test_changed_entry_is_restored_and_matched(pruned, publisher):
    (id,) = column(pruned, "atom_id")
    report = serve(
        pruned, publisher, tomatoes(body="Des tomates au jardin, le jardin des tomates.")
    )
    assert (report.new, report.modified) == (0, 1)
    assert column(pruned, "pruned_at") == column(pruned, "content_hash_without_numbers") == [None]
    assert "Ann" in str(column(pruned, "authors")[0])
    serve(pruned, publisher, tomatoes(title="Tomates au jardin"), now=LATER + 2 * DAY)
    tag = (pruned.outputs / "jardin.atom").read_text("utf-8")
    assert ids(tag).count(id) == 1
    assert "personne n’avait" in tag
    assert id in ids(archive(pruned, "all"))


def test_changed_counter_does_not_restore_entry(installation, publisher):
    installation.configure([publisher.url("/feed")], MORE)
    for day in range(6):
        serve(
            installation, publisher, tomatoes(body=f"{SOIL} Lu {day} fois."), now=NOON + day * DAY
        )
    assert installation.run(LATER).pruned == 1
    report = serve(installation, publisher, tomatoes(body=f"{SOIL} Lu 99 fois."))
    assert report.modified == 0
    report = serve(installation, publisher, tomatoes(body="Tout autre chose."), now=LATER + 2 * DAY)
    assert report.modified == 1


@pytest.mark.parametrize(
    "served_again",
    [
        tomatoes(guid="new"),
        tomatoes(guid="new", link="https://elsewhere.example/1"),  # with the same title and date
    ],
)
def test_pruned_entry_is_recognized_with_another_key(pruned, publisher, served_again):
    report = serve(pruned, publisher, served_again, garden())
    assert report.new == 0
    assert len(column(pruned, "id")) == 1


def test_only_changed_title_updates_pruned_story(pruned, publisher):
    when = column(pruned, "(SELECT updated FROM story WHERE story.id = story_id)")
    serve(pruned, publisher, tomatoes(body="Une tout autre recette, entièrement refaite."))
    assert column(pruned, "(SELECT updated FROM story WHERE story.id = story_id)") == when
    pruned.run(LATER + 300 * DAY)
    assert column(pruned, "content") == [""]
    serve(pruned, publisher, tomatoes(title="Tomates vertes"), now=LATER + 301 * DAY)
    assert column(pruned, "(SELECT updated FROM story WHERE story.id = story_id)") > when


def test_wanted_entries_are_not_pruned(installation, publisher):
    """Entries with a tag, a query, a decision, a recent change, or a clipped story."""
    query = '[[feeds]]\nname = "Soupe"\nquery = "text:soupe"\n'
    clipping = "• Tomates 4\n    https://feed.example/4\n\n    Un passage.\n\n    #Potager\n"
    numbers = range(1, 7)
    bodies = {2: "Une soupe de tomates."}
    publisher["/feed"] = rss(*(tomatoes(n, bodies.get(n, SOIL)) for n in numbers), garden())
    installation.configure([publisher.url("/feed")], query + MORE)
    installation.run(NOON)
    with closing(installation.store()) as store:
        (copy,) = store.matches.find_entries("https://feed.example/3", "")
        store.training.save_decision([copy.stored.row], "jardin", False, NOON)
    installation.configure([publisher.url("/feed")], query + MORE, clippings=clipping)
    installation.run(NOON + DAY)
    edited = [
        tomatoes(n, "Corrigé, et tout autrement." if n == 5 else bodies.get(n, SOIL))
        for n in numbers
    ]
    serve(installation, publisher, *edited, garden(), now=NOON + 100 * DAY)
    assert installation.run(LATER).pruned == 2
    unpruned = column(installation, "title", "pruned_at IS NULL AND content <> ''")
    assert sorted(unpruned) == [
        "Le jardin",
        "Tomates 2",
        "Tomates 3",
        "Tomates 4",
        "Tomates 4",
        "Tomates 5",
    ]
    assert column(installation, "title", "pruned_at IS NOT NULL") == ["Tomates 1", "Tomates 6"]


def test_zero_days_keeps_entries_forever(installation, publisher):
    publisher["/feed"] = rss(tomatoes())
    installation.configure([publisher.url("/feed")], MORE + "[store]\nkeep_unmatched_days = 0\n")
    installation.run(NOON)
    assert installation.run(NOON + 9999 * DAY).pruned == 0
    assert SOIL in archive(installation)


def test_pruned_entry_is_not_matched_with_new_vocabulary(pruned, publisher):
    pruned.configure([publisher.url("/feed")], MORE + '[tags."Tomates"]\nmatch = ["tomates"]\n')
    report = pruned.run(LATER + DAY)
    assert report.matched == 0
    assert ids((pruned.outputs / "tomates.atom").read_text("utf-8")) == []
    assert column(pruned, "content") == [""]


def test_new_query_does_not_match_pruned_entry(pruned, publisher):
    pruned.configure(
        [publisher.url("/feed")], '[[feeds]]\nname = "Non"\nquery = "NOT lang:fr"\n' + MORE
    )
    pruned.run(LATER + DAY)
    (id,) = ids((pruned.outputs / "non.atom").read_text("utf-8"))
    assert id not in column(pruned, "atom_id")


def test_nothing_is_pruned_in_run_with_changed_queries(installation, publisher):
    publisher["/feed"] = rss(tomatoes())
    installation.configure([publisher.url("/feed")], MORE)
    installation.run(NOON)
    installation.configure(
        [publisher.url("/feed")], '[[feeds]]\nname = "Sel"\nquery = "text:sel"\n' + MORE
    )
    assert installation.run(LATER).pruned == 0
    assert installation.run(LATER + DAY).pruned == 0
    assert SOIL in archive(installation, "sel")


def test_copy_of_another_blog_restores_the_story(pruned, publisher):
    publisher["/other"] = rss(tomatoes(body="Repris au jardin. " + SOIL), title="Another")
    pruned.configure([publisher.url("/feed"), publisher.url("/other")], MORE)
    pruned.run(LATER + DAY)
    (id,) = column(pruned, "atom_id", "pruned_at IS NOT NULL")
    everything = archive(pruned, "all")
    assert id in ids(everything)
    assert SOIL in everything


def test_clipping_of_pruned_page_restores_the_story(pruned, publisher):
    clipping = "• Tomates\n    https://feed.example/1\n\n    Un passage.\n\n    #Jardin\n"
    pruned.configure([publisher.url("/feed")], MORE, clippings=clipping)
    pruned.run(LATER + DAY)
    (id,) = column(pruned, "atom_id", "pruned_at IS NOT NULL")
    tag = (pruned.outputs / "jardin.atom").read_text("utf-8")
    assert id in ids(tag)
    assert "Un passage." in tag


def test_decision_about_pruned_entry_applies(pruned):
    with closing(pruned.store()) as store:
        (copy,) = store.matches.find_entries("https://feed.example/1", "")
        assert copy.stored.pruned_at == LATER
        store.training.save_decision([copy.stored.row], "jardin", True, LATER)
    pruned.run(LATER + DAY)
    (id,) = column(pruned, "atom_id")
    assert id in ids((pruned.outputs / "jardin.atom").read_text("utf-8"))
    with closing(pruned.store()) as store:
        store.training.save_decision([copy.stored.row], "jardin", None, LATER)
    pruned.run(LATER + 2 * DAY)
    assert id not in ids((pruned.outputs / "jardin.atom").read_text("utf-8"))


def test_subscription_that_becomes_clippings_is_restored(pruned, publisher):
    pruned.write(
        "feeds.toml",
        f'[clippings]\nfiles = "{publisher.url("/feed")}"\nallow_private = "127.0.0.0/8"\n' + MORE,
    )
    serve(pruned, publisher, tomatoes(), garden(), item("Neuf", "https://feed.example/n"))
    assert SOIL in column(pruned, "content")[0]


def test_pruning_continues_where_last_run_stopped(installation, publisher):
    publisher["/feed"] = rss(*(tomatoes(n) for n in range(9)), garden())
    installation.configure([publisher.url("/feed")], MORE)
    installation.run(NOON)
    with closing(installation.store()) as store:
        numbers = [
            store.retention.prune_some(LATER, 4, lambda _: 0, LATER).entries for _ in range(5)
        ]
        assert numbers == [4, 4, 1, 0, 0]


def test_training_sample_is_not_pruned(installation, publisher):
    publisher["/feed"] = rss(*(tomatoes(n) for n in range(9)))
    installation.configure([publisher.url("/feed")], MORE)
    installation.run(NOON)
    with closing(installation.store()) as store:
        sample = store.training.sample_entries(4)
        assert store.retention.preview(LATER, lambda _: 4, ()).entries == 5
        assert store.retention.prune_all(LATER, lambda _: 4, LATER).entries == 5
        assert store.training.sample_entries(4) == sample
        assert store.training.count_entries() == 9
        assert (
            store.retention.prune_all(LATER, lambda _: 5, LATER).entries == 0
        )  # already fewer than the sample


def test_outputs_do_not_depend_on_time_of_pruning(tmp_path, publisher):
    publisher["/feed"] = rss(tomatoes(), garden())
    outputs = []
    for name, hours in (("a", -11), ("b", 11)):
        machine = Installation(tmp_path / name)
        machine.configure([publisher.url("/feed")], MORE)
        for now in (NOON, LATER):
            machine.run(now + timedelta(hours=hours))
        outputs.append(
            {n: d for n, (d, _) in machine.snapshot().items() if n.endswith((".atom", ".json"))}
        )
    assert outputs[0] == outputs[1]
