"""What is kept of entries that belong to no tag, as the publisher, the subscriber and the reader see
it."""

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
    found = installation.sql(f"SELECT {name} FROM entry WHERE {where} ORDER BY id")
    return [value for (value,) in found]


def ids(text):
    return [entry.id for entry in feedparser.parse(text).entries]


def archive(installation, name="all", month="2026-11"):
    return (installation.outputs / name / f"{month}.atom").read_text("utf-8")


@pytest.fixture
def pruned(installation, publisher):
    """An installation 200 days later, when one entry of no tag has lost its content."""
    publisher["/feed"] = rss(tomatoes(), garden())
    installation.configure([publisher.url("/feed")], MORE)
    installation.run(NOON)
    assert installation.run(LATER).pruned == 1
    return installation


def serve(installation, publisher, *items, now=LATER + DAY):
    publisher["/feed"] = rss(*items)
    return installation.run(now)


def test_a_run_removes_what_nobody_asked_for_and_keeps_what_tells_it_apart(installation, publisher):
    publisher["/feed"] = rss(tomatoes(), garden())
    installation.configure([publisher.url("/feed")], MORE)
    installation.run(NOON)
    kept = "key, atom_id, page, title, link, published, content_hash, first_seen_at, changed_at"
    text = (f"CAST({name} AS VARCHAR)" for name in kept.split(", "))
    one = " || '|' || ".join(f"COALESCE({name}, '-')" for name in text)
    before = column(installation, one)
    assert SOIL in archive(installation)
    assert installation.run(NOON + 180 * DAY - DAY / 2).pruned == 0  # that day is not over
    assert installation.run(LATER).pruned == 1
    assert column(installation, one) == before
    lists = (f"CAST({name} AS VARCHAR)" for name in ("authors", "categories", "enclosures"))
    gone = "summary || content || text || " + " || ".join(lists)
    assert column(installation, gone) == ["[][][]"]
    assert column(installation, "content", "title = 'Le jardin'") != [""]


def test_the_story_leaves_our_own_feeds_and_nothing_else_changes(installation, publisher):
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


def test_what_is_served_again_as_it_was_stays_as_it_is(pruned, publisher):
    before = pruned.snapshot()
    report = serve(pruned, publisher, tomatoes(), garden(), item("", "https://feed.example/x"))
    assert (report.new, report.modified) == (1, 0)
    assert column(pruned, "content") == [""]
    for name in ("jardin.atom", "near-miss.atom"):
        assert pruned.snapshot()[name] == before[name]


def test_what_is_served_again_changed_comes_back_whole_and_is_matched(pruned, publisher):
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


def test_a_counter_does_not_bring_it_back(installation, publisher):
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
    "again",
    [
        tomatoes(guid="new"),
        tomatoes(guid="new", link="https://elsewhere.example/1"),  # with the same title and date
    ],
)
def test_it_is_known_under_another_key(pruned, publisher, again):
    report = serve(pruned, publisher, again, garden())
    assert report.new == 0
    assert len(column(pruned, "id")) == 1


def test_a_correction_of_the_text_is_no_news_and_one_of_the_title_is(pruned, publisher):
    when = column(pruned, "(SELECT updated FROM story WHERE story.id = story_id)")
    serve(pruned, publisher, tomatoes(body="Une tout autre recette, entièrement refaite."))
    assert column(pruned, "(SELECT updated FROM story WHERE story.id = story_id)") == when
    pruned.run(LATER + 300 * DAY)
    assert column(pruned, "content") == [""]
    serve(pruned, publisher, tomatoes(title="Tomates vertes"), now=LATER + 301 * DAY)
    assert column(pruned, "(SELECT updated FROM story WHERE story.id = story_id)") > when


def test_what_must_stay(installation, publisher):
    """Matched, in a query's feed, decided, changed since, of a story that is clipped."""
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
    again = [
        tomatoes(n, "Corrigé, et tout autrement." if n == 5 else bodies.get(n, SOIL))
        for n in numbers
    ]
    serve(installation, publisher, *again, garden(), now=NOON + 100 * DAY)
    assert installation.run(LATER).pruned == 2
    whole = column(installation, "title", "pruned_at IS NULL AND content <> ''")
    assert sorted(whole) == [
        "Le jardin",
        "Tomates 2",
        "Tomates 3",
        "Tomates 4",
        "Tomates 4",
        "Tomates 5",
    ]
    assert column(installation, "title", "pruned_at IS NOT NULL") == ["Tomates 1", "Tomates 6"]


def test_for_ever(installation, publisher):
    publisher["/feed"] = rss(tomatoes())
    installation.configure([publisher.url("/feed")], MORE + "[store]\nkeep_unmatched_days = 0\n")
    installation.run(NOON)
    assert installation.run(NOON + 9999 * DAY).pruned == 0
    assert SOIL in archive(installation)


def test_it_neither_gains_nor_loses_by_a_new_vocabulary(pruned, publisher):
    pruned.configure([publisher.url("/feed")], MORE + '[tags."Tomates"]\nmatch = ["tomates"]\n')
    report = pruned.run(LATER + DAY)
    assert report.matched == 0
    assert ids((pruned.outputs / "tomates.atom").read_text("utf-8")) == []
    assert column(pruned, "content") == [""]


def test_a_new_query_does_not_find_it(pruned, publisher):
    pruned.configure(
        [publisher.url("/feed")], '[[feeds]]\nname = "Non"\nquery = "NOT lang:fr"\n' + MORE
    )
    pruned.run(LATER + DAY)
    (one,) = ids((pruned.outputs / "non.atom").read_text("utf-8"))
    assert one not in column(pruned, "atom_id")


def test_nothing_goes_in_the_run_that_changes_what_is_wanted(installation, publisher):
    publisher["/feed"] = rss(tomatoes())
    installation.configure([publisher.url("/feed")], MORE)
    installation.run(NOON)
    installation.configure(
        [publisher.url("/feed")], '[[feeds]]\nname = "Sel"\nquery = "text:sel"\n' + MORE
    )
    assert installation.run(LATER).pruned == 0
    assert installation.run(LATER + DAY).pruned == 0
    assert SOIL in archive(installation, "sel")


def test_another_blog_that_shows_the_same_page_gives_the_story_its_words_again(pruned, publisher):
    publisher["/other"] = rss(tomatoes(body="Repris au jardin. " + SOIL), title="Another")
    pruned.configure([publisher.url("/feed"), publisher.url("/other")], MORE)
    pruned.run(LATER + DAY)
    (id,) = column(pruned, "atom_id", "pruned_at IS NOT NULL")
    everything = archive(pruned, "all")
    assert id in ids(everything)
    assert SOIL in everything


def test_a_page_that_is_clipped_after_all(pruned, publisher):
    clipping = "• Tomates\n    https://feed.example/1\n\n    Un passage.\n\n    #Jardin\n"
    pruned.configure([publisher.url("/feed")], MORE, clippings=clipping)
    pruned.run(LATER + DAY)
    (id,) = column(pruned, "atom_id", "pruned_at IS NOT NULL")
    tag = (pruned.outputs / "jardin.atom").read_text("utf-8")
    assert id in ids(tag)
    assert "Un passage." in tag


def test_the_readers_word_counts_though_the_content_is_gone(pruned):
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


def test_a_subscription_that_becomes_a_list_of_clippings_gets_its_content_back(pruned, publisher):
    pruned.write(
        "feeds.toml",
        f'[clippings]\nfiles = "{publisher.url("/feed")}"\nallow_private = "127.0.0.0/8"\n' + MORE,
    )
    serve(pruned, publisher, tomatoes(), garden(), item("Neuf", "https://feed.example/n"))
    assert SOIL in column(pruned, "content")[0]


def test_a_run_looks_at_a_few_and_the_next_goes_on_in_a_circle(installation, publisher):
    publisher["/feed"] = rss(*(tomatoes(n) for n in range(9)), garden())
    installation.configure([publisher.url("/feed")], MORE)
    installation.run(NOON)
    with closing(installation.store()) as store:
        at_once = [
            store.retention.prune_some(LATER, 4, lambda _: 0, LATER).entries for _ in range(5)
        ]
        assert at_once == [4, 4, 1, 0, 0]


def test_what_is_learned_from_stays(installation, publisher):
    publisher["/feed"] = rss(*(tomatoes(n) for n in range(9)))
    installation.configure([publisher.url("/feed")], MORE)
    installation.run(NOON)
    with closing(installation.store()) as store:
        sample = store.training.sample_entries(4)
        assert store.retention.preview(LATER, lambda _: 4, ()).entries == 5
        assert store.retention.prune_all(LATER, lambda _: 4, LATER).entries == 5
        assert store.training.sample_entries(4) == sample
        assert store.training.count_entries() == 9
        assert store.retention.prune_all(LATER, lambda _: 5, LATER).entries == 0  # too few as it is


def test_two_machines_that_prune_at_other_times_of_a_day_write_the_same(tmp_path, publisher):
    publisher["/feed"] = rss(tomatoes(), garden())
    written = []
    for name, hours in (("a", -11), ("b", 11)):
        machine = Installation(tmp_path / name)
        machine.configure([publisher.url("/feed")], MORE)
        for now in (NOON, LATER):
            machine.run(now + timedelta(hours=hours))
        written.append(
            {n: d for n, (d, _) in machine.snapshot().items() if n.endswith((".atom", ".json"))}
        )
    assert written[0] == written[1]
