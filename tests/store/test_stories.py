"""Publishers change their entries in odd ways; a subscriber sees each story once."""

import re
from datetime import datetime, timedelta
from urllib.parse import unquote

import feedparser
import pytest

from tests.databases import new_state
from tests.harness import NOON, Installation, item, rss

DAY = timedelta(days=1)
WORDS = (
    "Le jardin partagé de la rue des Lilas a dix ans cette semaine, et ceux qui le tiennent ont "
    "décidé de raconter comment une friche est devenue un lieu où l’on sème, où l’on répare des "
    "vélos, où l’on discute des règles autour d’une table, et où personne ne commande : les clés "
    "sont chez la boulangère, le carnet est ouvert à tous, et la pluie fait le reste du travail."
)
ALL = '[tags."Jardin"]\naliases = ["jardins"]\n[publish]\nbackfill = 99\n'


class Subscriber:
    """Reads one feed as strict readers do: entries have an id, and are new again if `updated` moved."""

    def __init__(self, installation: Installation, name: str = "all") -> None:
        self._path = installation.outputs / f"{name}.atom"
        self.seen: dict[str, set[str]] = {}

    def read(self):
        entries = feedparser.parse(self._path.read_bytes()).entries
        for entry in entries:
            self.seen.setdefault(entry.id, set()).add(entry.updated)
        return entries

    @property
    def notices(self):
        """How often each story was new or changed, in ascending order."""
        return sorted(len(times) for times in self.seen.values())


@pytest.fixture
def subscriber(installation):
    return Subscriber(installation)


def entry(
    number=1, guid=None, host="blog.example", path=None, title=None, body=None, date=None, more=""
):
    """An item with all elements."""
    guid = f"<guid isPermaLink='false'>{guid or f'guid-{number}'}</guid>"
    when = date or f"Mon, {number:02} Nov 2026 10:00:00 GMT"
    text = body if body is not None else f"Numéro {title or number}. {WORDS}"
    link = f"https://{host}{path or f'/{number}'}"
    return item(title or f"Le jardin, {number}", link, when, text, guid + more)


def serve(installation, publisher, *days):
    """Poll one feed once a day with these items; gives a subscriber that read after each run."""
    installation.configure([publisher.url("/feed")], ALL)
    subscriber = Subscriber(installation)
    for day, items in enumerate(days):
        publisher["/feed"] = rss(*items, title="Blog").replace("feed.example", "blog.example")
        installation.run(NOON + day * DAY)
        subscriber.read()
    return subscriber


def test_changed_guids(installation, publisher):
    days = [[entry(n, guid=f"{day}-{n}") for n in (1, 2, 3)] for day in range(4)]
    assert serve(installation, publisher, *days).notices == [1, 1, 1]


def test_blog_moves_to_https_and_another_host(installation, publisher):
    plain = [entry(n).replace("https:", "http:") for n in (1, 2)]
    moved = [entry(n, host="new.example", guid=f"https://new.example/{n}") for n in (1, 2)]
    assert serve(installation, publisher, plain, [entry(1), entry(2)], moved).notices == [1, 1]


def test_archive_republished_with_other_dates_guids_and_urls(installation, publisher):
    titles = ["Semer", "Arroser", "Récolter"]
    old = [entry(n, title=title) for n, title in enumerate(titles, 1)]
    republished = [
        entry(
            n,
            f"x{n}",
            "new.example",
            f"/posts/{n}-new",
            title,
            date="Tue, 24 Nov 2026 09:00:00 GMT",
        )
        for n, title in enumerate(titles, 1)
    ]
    assert serve(installation, publisher, old, republished).notices == [1, 1, 1]


def test_updated_changes_at_each_poll(installation, publisher):
    def atom(day):
        return (
            '<feed xmlns="http://www.w3.org/2005/Atom"><title>B</title><id>urn:b</id>'
            "<entry><id>urn:1</id><title>Le jardin</title><link href='https://blog.example/1'/>"
            f"<updated>2026-11-{day + 20}T00:00:00Z</updated><content>{WORDS}</content></entry></feed>"
        )

    installation.configure([publisher.url("/feed")], ALL)
    subscriber = Subscriber(installation)
    for day in range(4):
        publisher["/feed"] = atom(day)
        installation.run(NOON + day * DAY)
        subscriber.read()
    assert subscriber.notices == [1]


@pytest.mark.parametrize(
    "trivial_changes",
    [
        "<p>Lu {day} fois</p>",
        '&lt;img src="https://stats.example/p.gif?day={day}" width="1" height="1"&gt;',
        '&lt;img src="https://blog.example/photo.jpg?session={day}"&gt;',
        '&lt;a href="https://blog.example/like?nonce={day}abc"&gt;J’aime&lt;/a&gt;',
    ],
)
def test_counters_pixels_and_sessions_are_no_change(installation, publisher, trivial_changes):
    days = [[entry(body=WORDS + trivial_changes.format(day=day))] for day in range(8)]
    subscriber = serve(installation, publisher, *days)
    assert subscriber.notices == [1]
    before = installation.snapshot()
    publisher["/feed"] = rss(
        *[entry(body=WORDS + trivial_changes.format(day=99))], title="Blog"
    ).replace("feed.example", "blog.example")
    installation.run(NOON + 9 * DAY)
    assert installation.snapshot() == before  # a counter does not rewrite our files every day


def test_fourth_change_of_numbers_only_is_not_stored(installation, publisher):
    days = [[entry(body=f"{WORDS} Lu {day} fois")] for day in range(6)]
    subscriber = serve(installation, publisher, *days)
    (shown,) = subscriber.read()
    assert "Lu 3 fois" in shown.content[0].value


def test_session_id_in_every_link_without_guid(installation, publisher):
    days = [
        [
            item(
                f"Jardin {n}",
                f"https://blog.example/{n}?sid={day}",
                f"Mon, 0{n} Nov 2026 10:00:00 GMT",
                WORDS,
            )
            for n in (1, 2)
        ]
        for day in range(4)
    ]
    assert serve(installation, publisher, *days).notices == [1, 1]


def test_significant_changes_update_at_most_three_times(installation, publisher):
    days = [
        [entry(title="Le jardin", body=f"{'mot ' * 9}{chr(97 + day) * 300}")] for day in range(6)
    ]
    subscriber = serve(installation, publisher, *days)
    assert subscriber.notices == [4]  # as new, and three times as changed
    (shown,) = subscriber.read()
    assert "f" * 300 in shown.content[0].value  # the content is always the latest


def test_small_correction_is_not_an_update(installation, publisher):
    days = [[entry(body=WORDS)], [entry(body=WORDS.replace("semaine", "saison"))]]
    subscriber = serve(installation, publisher, *days)
    assert subscriber.notices == [1]
    assert "saison" in subscriber.read()[0].content[0].value


def test_all_entries_have_same_guid(installation, publisher):
    items = [entry(n, guid="same") for n in (1, 2, 3)]
    assert serve(installation, publisher, items, items).notices == [1, 1, 1]


def status(number, text="Réparé."):
    """A report of a status page: all have one guid, title and link."""
    when = f"Mon, {number:02} Nov 2026 10:00:00 GMT"
    guid = "<guid isPermaLink='false'>jardin</guid>"
    return item("Le jardin", "https://blog.example/", when, f"{text} {number}", guid)


def test_reports_of_a_status_page_are_told_apart_from_the_start(installation, publisher):
    days = [[status(n) for n in range(last, max(0, last - 3), -1)] for last in (2, 3, 4, 5, 6)]
    subscriber = serve(installation, publisher, *days)
    assert subscriber.notices == [1, 1, 1, 1, 1, 1]
    assert subscriber.read()[0].content[0].value.startswith("Réparé. 6")


def test_corrected_report_of_a_status_page_stays_one_entry(installation, publisher):
    before = [status(2), status(1)]
    after = [status(2, "Réparé !"), status(1)]
    assert len(serve(installation, publisher, before, after).notices) == 2


def test_reports_without_dates_are_told_apart_by_their_texts(installation, publisher):
    def report(text):
        return item("Le jardin", "https://blog.example/", "", text, "<guid>jardin</guid>")

    days = [["a", "b"], ["c", "a", "b"], ["d", "c", "a"]]
    served = [[report(text) for text in day] for day in days]
    assert serve(installation, publisher, *served).notices == [1, 1, 1, 1]


def test_corrected_title_and_address_are_one_entry(installation, publisher):
    before = [entry(1, guid="https://blog.example/semr", path="/semr", title="Le jardin: semr")]
    after = [
        entry(1, guid="https://blog.example/semer", path="/semer", title="Le jardin : semer",
              body=f"Numéro Le jardin: semr. {WORDS}"),
    ]  # fmt: skip
    assert len(serve(installation, publisher, before, after).notices) == 1


def test_second_post_of_the_same_minute_is_another_entry(installation, publisher):
    first = entry(1, title="Le jardin, un", body=f"Un. {WORDS}")
    second = entry(2, title="Le jardin, deux", body="Un tout autre texte sur le jardin. " * 9,
                   date="Mon, 01 Nov 2026 10:00:00 GMT")  # fmt: skip
    assert len(serve(installation, publisher, [first], [second]).notices) == 2


def test_edition_number_in_the_guid_makes_no_new_entry(installation, publisher):
    """The BBC appends #0, #1 … to its guids, and rewrites title and text."""
    days = [
        [entry(1, guid=f"https://blog.example/1#{n}", title=f"Le jardin {word}", body=word * 9)]
        for n, word in enumerate(("ouvre", "ferme", "rouvre"))
    ]
    subscriber = serve(installation, publisher, *days)
    assert len(subscriber.notices) == 1
    assert subscriber.read()[0].title == "Le jardin rouvre"


def test_post_that_one_document_lists_twice_is_one_entry(installation, publisher):
    """Drupal: the same title, text and date, and "-0" at the end of the address."""
    twice = [entry(1, guid=f"{n} at blog", path=path, title="Le jardin")
             for n, path in ((7, "/jardin-0"), (8, "/jardin"))]  # fmt: skip
    subscriber = serve(installation, publisher, twice, twice[:1], twice[::-1])
    assert subscriber.notices == [1]
    assert {e.link for e in subscriber.read()} == {"https://blog.example/jardin"}


@pytest.mark.parametrize(
    "path",
    ["/?p={0}", "/?article{0}", "/index.php?id={0}", "/?page=x&id={0}", "/#!/jardin/{0}1"],
)
def test_address_with_a_query_is_a_page(installation, publisher, path):
    """Two feeds of one blog carry its posts: each is one story."""
    for name in "ab":
        items = [
            item(f"Le jardin {n}", f"https://blog.example{path.format(n)}", body=f"<p>{n}</p>")
            for n in (1, 2, 3)
        ]
        document = rss(*items, title=name).replace("https://feed.example/", "https://blog.example/")
        publisher[f"/{name}"] = (
            document.replace("&", "&amp;").replace("<p>", "").replace("</p>", "")
        )
    installation.configure([publisher.url("/a"), publisher.url("/b")], ALL)
    installation.run()
    assert len(Subscriber(installation).read()) == 3


def test_two_comments_about_one_page_are_both_published(installation, publisher):
    def linkblog(name, comment):
        document = rss(item("Le jardin", "https://press.example/jardin", body=comment), title=name)
        return document.replace("https://feed.example/", f"https://{name}.example/")

    publisher["/a"] = linkblog("ann", "Un article sur le jardin que je vous conseille.")
    publisher["/b"] = linkblog("bob", "Je ne suis pas du tout d’accord avec cet article.")
    installation.configure([publisher.url("/a"), publisher.url("/b")], ALL)
    for day in range(2):
        installation.run(NOON + day * DAY)
        texts = " ".join(e.content[0].value for e in Subscriber(installation).read())
        assert "vous conseille" in texts
        assert "pas du tout d’accord" in texts


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("", "Je déteste ce jardin."),
        ("&lt;img src='https://i.example/i.jpg'&gt;", "Je déteste ce jardin."),
        ("À lire.", "À lire. Le jardin est un commun depuis 1907, dit-elle."),
        ("Jardin.", "Jardin. Et plus de moi."),
        (f"Numéro 1. {WORDS}", f"Numéro 1. {WORDS[:120]}… Je ne suis pas d’accord."),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_no_comment_about_a_page_is_lost(installation, publisher, first, second, order):
    texts = [first, second, "Un troisième avis sur le jardin."][::order]
    urls = []
    for name, body in zip(("ann", "bob", "cy"), texts, strict=True):
        document = rss(item("Le jardin", "https://press.example/jardin", body=body), title=name)
        publisher[f"/{name}"] = document.replace("feed.example", f"{name}.example")
        urls.append(publisher.url(f"/{name}"))
    installation.configure(urls, ALL)
    installation.run()
    shown = " ".join(e.content[0].value for e in Subscriber(installation).read() if "content" in e)
    for text in texts:
        if not text.startswith("&lt;"):
            assert text.rstrip(".") in shown


@pytest.mark.parametrize("count", [1, 2])
def test_reports_with_the_home_page_as_guid_are_told_apart(installation, publisher, count):
    def report(number):
        when = f"Mon, {number:02} Nov 2026 10:00:00 GMT"
        guid = "<guid>https://blog.example/</guid>"
        return item("Le jardin", "https://blog.example/", when, f"Panne {number}", guid)

    days = [[report(n) for n in range(last, max(0, last - count), -1)] for last in (2, 9, 16, 23)]
    assert len(serve(installation, publisher, *days).notices) == 4 * count


def test_notices_that_differ_in_a_link_or_picture_are_two(installation, publisher):
    def notice(number, more):
        return entry(
            number,
            title="Le jardin",
            body=f"Un avis. {WORDS} {more}",
            date="Mon, 02 Nov 2026 10:00:00 GMT",
        )

    links = [
        notice(n, f"&lt;a href='https://blog.example/doc{n}.pdf'&gt;Le document&lt;/a&gt;")
        for n in (1, 2)
    ]
    pictures = [notice(n, f"&lt;img src='https://blog.example/{n}.jpg'&gt;") for n in (3, 4)]
    assert len(serve(installation, publisher, links + pictures).notices) == 4


def test_short_post_that_one_document_lists_twice_is_one_entry(installation, publisher):
    twice = [entry(1, guid=f"{n} at blog", path=path, title="Le jardin", body="La réunion aura lieu mardi.")
             for n, path in ((7, "/reunion-0"), (8, "/reunion"))]  # fmt: skip
    assert serve(installation, publisher, twice).notices == [1]


def test_planet_with_the_text_of_a_post_is_no_other_entry(installation, publisher):
    post = item("Le jardin", "https://blog.example/jardin", body=f"Numéro 1. {WORDS}")
    publisher["/a"] = rss(post, title="Blog").replace("feed.example", "blog.example")
    excerpt = item(
        "Le jardin", "https://blog.example/jardin", body=f"Numéro 1. {WORDS}"[:90] + " […]"
    )
    publisher["/b"] = rss(excerpt, title="Planet")
    installation.configure([publisher.url("/a"), publisher.url("/b")], ALL)
    installation.run()
    assert len(Subscriber(installation).read()) == 1


def test_upgrade_corrects_entries_and_notifies_nobody(installation, publisher):
    """What an earlier version read wrongly becomes right, and no date moves."""
    items = [entry(n) for n in (1, 2, 3)]
    subscriber = serve(installation, publisher, items)
    ids = {e.id for e in subscriber.read()}
    installation.sql(
        "UPDATE feed SET reader_version = 0",
        "DELETE FROM document",
        "UPDATE entry SET content = 'Une légende', text = 'Une légende', title = 'Une légende', "
        "content_hash = 'x'",
    )
    report = installation.run(NOON + DAY)
    assert (report.new, report.modified) == (0, 3)
    assert {e.title for e in subscriber.read()} == {f"Le jardin, {n}" for n in (1, 2, 3)}
    assert subscriber.notices == [1, 1, 1]
    assert {e.id for e in subscriber.read()} == ids
    assert installation.run(NOON + 2 * DAY).not_modified == 1


def test_link_reused_by_later_entries(installation, publisher):
    """No entry is lost because another had its link the day before."""
    bodies = ["On sème des fèves. " * 20, "Il pleut sur les bacs. " * 20, "La clé a disparu. " * 20]
    days = [
        [entry(day, path="/today", title=title, body=body)]
        for day, (title, body) in enumerate(
            zip(("Lundi", "Mardi", "Mercredi"), bodies, strict=True), 1
        )
    ]
    assert serve(installation, publisher, *days).notices == [1, 1, 1]


def test_entries_with_same_title_and_time_stay_separate(installation, publisher):
    date = "Mon, 02 Nov 2026 00:00:00 GMT"
    one = entry(1, title="Photo", date=date, body="On sème des fèves. " * 20)
    two = entry(2, title="Photo", date=date, body="Il pleut sur les bacs. " * 20)
    assert serve(installation, publisher, [one], [two]).notices == [1, 1]


def test_story_of_two_blogs_is_one_entry_with_both_links(installation, publisher):
    installation.configure([publisher.url("/a"), publisher.url("/b")], ALL)
    other = WORDS.replace("décidé", "choisi")  # one different word
    publisher["/a"] = rss(entry(title="Dix ans", body=WORDS), title="One")
    publisher["/b"] = rss(entry(host="planet.example", title="Dix ans !", body=other), title="Two")
    installation.run()
    subscriber = Subscriber(installation)
    (shown,) = subscriber.read()
    assert [link.href for link in shown.links if link.rel == "related"] == [
        "https://planet.example/1"
    ]
    assert re.search(
        r'Also at: <a href="https://planet.example/1"[^>]*>Two</a>', shown.content[0].value
    )
    publisher["/a"] = rss(title="One")
    installation.run(NOON + DAY)
    assert [e.id for e in subscriber.read()] == [shown.id]


def test_later_copy_only_adds_its_link(installation, publisher):
    installation.configure([publisher.url("/a"), publisher.url("/b")], ALL)
    publisher["/a"] = rss(entry(title="Dix ans", body=WORDS), title="One")
    publisher["/b"] = rss(title="Two")
    installation.run()
    subscriber = Subscriber(installation)
    (first,) = subscriber.read()
    late = entry(3, host="planet.example", title="Dix ans", body=WORDS)
    publisher["/b"] = rss(late, title="Two")
    installation.run(NOON + DAY)
    (shown,) = subscriber.read()
    assert (shown.id, shown.updated) == (first.id, first.updated)
    assert "planet.example" in shown.content[0].value


@pytest.mark.parametrize(
    ("title", "body", "date"),
    [
        ("Version 1.3", WORDS, None),  # another number in the title
        ("Version 1.2", WORDS, "Mon, 05 Oct 2026 10:00:00 GMT"),  # more than fourteen days apart
        ("Version 1.2", "Le jardin est ouvert.", None),  # too short to compare
        ("Version 1.2", WORDS[:260] + " tout autre chose" * 20, None),  # not similar
    ],
)
def test_different_stories_stay_separate(installation, publisher, title, body, date):
    installation.configure([publisher.url("/a"), publisher.url("/b")], ALL)
    first = WORDS if body is not None and body.startswith(WORDS[:50]) else body
    publisher["/a"] = rss(entry(title="Version 1.2", body=first), title="One")
    publisher["/b"] = rss(entry(host="b.example", title=title, body=body, date=date), title="Two")
    installation.run()
    assert len(Subscriber(installation).read()) == 2


@pytest.mark.parametrize(("day", "stories"), [(16, 1), (17, 2)])
def test_copies_are_at_most_14_days_apart(installation, publisher, day, stories):
    installation.configure([publisher.url("/a"), publisher.url("/b")], ALL)
    dates = [f"{number:02} Nov 2026 10:00:00 GMT" for number in (2, day)]
    publisher["/a"] = rss(entry(title="Dix ans", body=WORDS, date=dates[0]), title="One")
    copy = entry(host="planet.example", title="Dix ans", body=WORDS, date=dates[1])
    publisher["/b"] = rss(copy, title="Two")
    installation.run()
    assert len(Subscriber(installation).read()) == stories


@pytest.mark.parametrize(("days", "stories"), [(30, 1), (32, 2)])
def test_copy_is_recognized_for_30_days(installation, publisher, days, stories):
    installation.configure([publisher.url("/a"), publisher.url("/b")], ALL)
    publisher["/a"] = rss(entry(title="Dix ans", body=WORDS), title="One")
    publisher["/b"] = rss(title="Two")
    installation.run()
    # Grouping forgets the texts of old entries, so a run before the copy needs a new entry.
    publisher["/a"] = rss(entry(9, title="Autre", body="Il pleut. " * 30), title="One")
    installation.run(NOON + days * DAY)
    copy = entry(host="planet.example", title="Dix ans", body=WORDS)
    publisher["/b"] = rss(copy, title="Two")
    installation.run(NOON + days * DAY + DAY / 2)
    assert len(Subscriber(installation).read()) == stories + 1


def test_copies_in_same_feed_stay_separate(installation, publisher):
    installation.configure([publisher.url("/a")], ALL)
    publisher["/a"] = rss(
        entry(1, title="Annonce", body=WORDS), entry(2, title="Annonce", body=WORDS)
    )
    installation.run()
    assert len(Subscriber(installation).read()) == 2


def test_same_atom_id_at_two_publishers(installation, publisher):
    def atom(title, link):
        return (
            '<feed xmlns="http://www.w3.org/2005/Atom"><title>B</title><id>urn:b</id>'
            f"<entry><id>tag:example.com,2000:1</id><title>{title}</title><link href='{link}'/>"
            f"<updated>2026-11-20T00:00:00Z</updated></entry></feed>"
        )

    installation.configure([publisher.url("/a"), publisher.url("/b"), publisher.url("/c")], ALL)
    publisher["/a"] = atom("Le jardin", "https://a.example/1")
    publisher["/b"] = atom("Autre chose", "https://b.example/1")
    publisher["/c"] = atom("Le jardin", "https://planet.example/a/1")  # republishes the first
    installation.run()
    ids = [entry.id for entry in Subscriber(installation).read()]
    assert len(ids) == len(set(ids)) == 2
    assert "tag:example.com,2000:1" in ids


def test_rebuilt_database_has_same_ids(installation, publisher):
    publisher["/feed"] = rss(entry(1), entry(2), item("Jardin", "", "", "Sans lien ni date"))
    installation.configure([publisher.url("/feed")], ALL)
    installation.run()
    ids = [entry.id for entry in Subscriber(installation).read()]
    installation.database = new_state()
    (installation.root / "aggregator.sqlite3").unlink(missing_ok=True)
    installation.run(NOON + DAY)
    assert {entry.id for entry in Subscriber(installation).read()} == set(ids)
    assert len(ids) == 3


# -- archives ------------------------------------------------------------------------------------


def months(installation, slug="jardin"):
    return sorted(path.name for path in (installation.outputs / slug).glob("*.atom"))


def walk(installation, slug="jardin"):
    """Follow a feed into its archive (RFC 5005); gives the ids of each document."""
    name, documents = f"{slug}.atom", []
    while True:
        feed = feedparser.parse((installation.outputs / name).read_bytes())
        documents.append([entry.id for entry in feed.entries])
        links = {link.rel: link.href for link in feed.feed.links}
        assert links["self"] == f"https://site.example/{name}"
        if "prev-archive" not in links:
            return documents
        name = links["prev-archive"].removeprefix("https://site.example/")


def test_live_feed_and_archives_contain_everything(installation, publisher):
    dates = [NOON - n * 9 * DAY for n in range(20)]
    items = [entry(n, date=f"{d:%a, %d %b %Y %H:%M:%S} GMT") for n, d in enumerate(dates)]
    publisher["/feed"] = rss(*items)
    installation.configure([publisher.url("/feed")], '[tags."Jardin"]\n[publish]\nbackfill = 4\n')
    installation.run()
    live, *archives = walk(installation)
    assert len(live) == 4
    assert sum(map(len, archives)) == len({id for ids in archives for id in ids}) == 20
    assert months(installation) == [f"2026-{m:02}.atom" for m in range(6, 12)]


def test_closed_month_is_written_only_for_link_and_corrections(installation, publisher):
    def poll(now: datetime, *items):
        publisher["/feed"] = rss(*items)
        installation.run(now)
        return installation.snapshot()

    installation.configure([publisher.url("/feed")], '[tags."Jardin"]\n')
    october, november = "Mon, 05 Oct 2026 10:00:00 GMT", "Mon, 02 Nov 2026 10:00:00 GMT"
    poll(NOON - 30 * DAY, entry(1, date=october))
    closed = poll(NOON, entry(1, date=october), entry(2, date=november))
    assert b'rel="next-archive"' in closed["jardin/2026-10.atom"][0]
    late = entry(3, date="Tue, 06 Oct 2026 10:00:00 GMT")
    later = poll(NOON + DAY, entry(2, date=november), late)
    assert later["jardin/2026-10.atom"] == closed["jardin/2026-10.atom"]  # its bytes and its mtime
    assert later["jardin/2026-11.atom"] != closed["jardin/2026-11.atom"]
    assert len(walk(installation)[1]) == 2
    installation.configure([publisher.url("/feed")], '[tags."Jardin"]\naliases = ["lilas"]\n')
    new_alias = poll(NOON + 2 * DAY, entry(2, date=november))
    assert new_alias["jardin/2026-10.atom"] == closed["jardin/2026-10.atom"]
    corrected = poll(NOON + 3 * DAY, entry(1, date=october, body="Tout autre texte du jardin"))
    assert corrected["jardin/2026-10.atom"] != closed["jardin/2026-10.atom"]


def test_changed_site_url_rewrites_archives(installation, publisher):
    publisher["/feed"] = rss(entry(1, date="Mon, 05 Oct 2026 10:00:00 GMT"), entry(2))
    installation.configure([publisher.url("/feed")], '[tags."Jardin"]\n')
    installation.run()
    text = (installation.root / "feeds.toml").read_text()
    installation.write("feeds.toml", text.replace("site.example", "moved.example"))
    installation.run(NOON + DAY)
    for path in installation.outputs.rglob("*.atom"):
        assert b"site.example" not in path.read_bytes(), path


# -- channels -----------------------------------------------------------------------


def titles(installation, slug):
    return [
        e.title
        for e in feedparser.parse((installation.outputs / f"{slug}.atom").read_bytes()).entries
    ]


def test_all_unmatched_near_miss_and_query_feeds(installation, publisher):
    publisher["/feed"] = rss(
        entry(1, title="Le jardin", body="Rien"),
        entry(2, title="La pluie", body="Elle tombe"),
        entry(3, title="La ville", body="avec un jardin"),
        entry(4, title="Le jardin d’hiver", body="Rien"),
    )
    query = '[[feeds]]\nname = "Sans hiver"\nquery = "jardin NOT title:hiver"\n'
    installation.configure([publisher.url("/feed")], ALL + query)
    installation.run()
    assert sorted(titles(installation, "all")) == [
        "La pluie",
        "La ville",
        "Le jardin",
        "Le jardin d’hiver",
    ]
    assert sorted(titles(installation, "unmatched")) == ["La pluie", "La ville"]
    assert titles(installation, "near-miss") == ["La ville"]
    assert titles(installation, "sans-hiver") == ["Le jardin"]
    text = (installation.root / "feeds.toml").read_text().replace('title:hiver"', 'title:jardin"')
    installation.write("feeds.toml", text)
    installation.run(NOON + DAY)
    assert titles(installation, "sans-hiver") == []


def test_clippings_are_never_unmatched_and_need_a_link(installation):
    text = "• Linked\n    https://kept.example/\n    #\n\n• Without\n    A passage.\n    #Jardin\n"
    installation.configure([], ALL, text)
    installation.run()
    assert titles(installation, "all") == ["Linked"]
    assert titles(installation, "unmatched") == titles(installation, "jardin") == []
    assert b"Without" not in (installation.outputs / "index.html").read_bytes()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("lang:fr", ["fr"]),
        ('source:"gazette"', ["fr"]),
        ("category:vélos", ["fr"]),
        ("author:ann", ["fr"]),
        ('text:"table ronde"', ["fr"]),
        ("is:clipped", ["clipped"]),
        ("NOT is:clipped", ["en", "fr"]),
        ("jardins", ["fr"]),  # an alias
    ],
)
def test_queries(installation, publisher, query, expected):
    more = "<category>Vélos</category><author>a@a.example (Ann)</author>"
    publisher["/fr"] = rss(entry(1, title="fr", body="Une table ronde", more=f"{more}<category>Jardin</category>"),
                           title="La Gazette", language="fr")  # fmt: skip
    publisher["/en"] = rss(entry(2, title="en", body="Rain", host="b.example"))
    query = f"[[feeds]]\nname = 'Q'\nquery = '{query}'\n"
    clipping = "• clipped\n    https://kept.example/\n    #Kept\n"
    installation.configure([publisher.url("/fr"), publisher.url("/en")], ALL + query, clipping)
    installation.run()
    assert sorted(titles(installation, "q")) == expected


def test_query_with_unknown_tag_is_a_warning(installation, publisher):
    publisher["/feed"] = rss(entry())
    installation.configure(
        [publisher.url("/feed")], ALL + '[[feeds]]\nname = "Q"\nquery = "jardn"\n'
    )
    report = installation.run()
    assert '[[feeds]] "Q": unknown tag "jardn" (column 1)' in report.warnings


def test_new_feed_of_stored_entries_does_not_flood(installation, publisher):
    publisher["/feed"] = rss(*(entry(n) for n in range(1, 20)))
    settings = "[publish]\nbackfill = 3\narchive_all = true\n"
    installation.configure([publisher.url("/feed")], settings)
    installation.run()
    more = settings + '[tags."Jardin"]\n[[feeds]]\nname = "Q"\nquery = "title:jardin"\n'
    installation.configure([publisher.url("/feed")], more)
    installation.run(NOON + DAY)
    for slug in ("all", "jardin", "q"):
        assert len(titles(installation, slug)) == 3
        assert sum(map(len, walk(installation, slug)[1:])) == 19


def test_removed_tag_keeps_its_feed_with_a_final_entry(installation, publisher):
    publisher["/feed"] = rss(entry(1))
    installation.configure([publisher.url("/feed")], ALL)
    installation.run()
    subscriber = Subscriber(installation, "jardin")
    subscriber.read()
    installation.configure([publisher.url("/feed")], '[tags."Autre"]\n')
    installation.run(NOON + DAY)
    final, story = subscriber.read()
    assert "Jardin" in final.title
    assert "has been discontinued" in final.title
    assert story.title == "Le jardin, 1"
    before = installation.snapshot()
    installation.run(NOON + 2 * DAY)
    assert installation.snapshot() == before
    assert b"jardin.atom" not in before["index.opml"][0]
    assert b'href="jardin.html"' not in before["index.html"][0]
    installation.configure([publisher.url("/feed")], ALL)
    installation.run(NOON + 3 * DAY)
    assert [e.title for e in subscriber.read()] == ["Le jardin, 1"]
    assert subscriber.notices == [1, 1]


def test_run_writes_only_feeds_with_new_entries(installation, publisher):
    publisher["/feed"] = rss(
        entry(1, title="Le jardin", body="Un"), entry(2, title="La ruche", body="Deux")
    )
    publisher["/other"] = rss(entry(1, host="b.example", title="La ruche dort", body="Trois"))
    tags = '[tags."Jardin"]\n[tags."Ruche"]\n'
    installation.configure([publisher.url("/feed"), publisher.url("/other")], tags)
    installation.run()
    publisher["/other"] = rss(
        entry(3, host="b.example", title="La ruche se réveille", body="Quatre")
    )
    written = installation.run(NOON + DAY).written
    assert {name.partition(".")[0].partition("/")[0] for name in written} == {
        "all", "ruche", "index", "_source", "_status"
    }  # fmt: skip
    assert len([name for name in written if name.startswith("_source/")]) == 1
    assert "ruche/2026-11.atom" in written


def test_source_page_shows_its_own_copy(installation, publisher):
    for name in ("one", "two"):
        publisher[f"/{name}"] = rss(entry(1, title=f"Le jardin, dit {name}", path="/same"))
    # More sources than one query reads.
    others = [f"/{number}" for number in range(25)]
    for number, path in enumerate(others):
        publisher[path] = rss(
            entry(2, host=f"{number}.example", title=f"Le jardin {number}", body=f"Texte {number}")
        )
    installation.configure(map(publisher.url, ["/one", "/two", *others]), ALL)
    written = installation.run().written
    pages = [name for name in written if name.startswith("_source/")]
    assert len(pages) == 27
    texts = {(installation.outputs / name).read_text("utf-8") for name in pages}
    for title in (
        "Le jardin, dit one",
        "Le jardin, dit two",
        *(f"Le jardin {n}" for n in range(25)),
    ):
        assert len([page for page in texts if f">{title}</a>" in page]) == 1


def test_clipping_without_link_is_on_tag_page_only(installation):
    text = "• One\n    https://kept.example/\n    #Jardin\n"
    installation.configure([], ALL, text)
    installation.run()
    installation.write("clippings.txt", text + "\n• Two\n    A passage.\n    #Jardin\n")
    written = installation.run(NOON + DAY).written
    assert b"<li>Two</li>" in (installation.outputs / "jardin.html").read_bytes()
    assert "jardin.atom" not in written


def test_general_feeds_have_archives_only_if_configured(installation, publisher):
    publisher["/feed"] = rss(*(entry(n) for n in range(1, 20)))
    installation.configure([publisher.url("/feed")])
    installation.run()
    assert len(walk(installation, "all")) == 1
    assert not (installation.outputs / "all").exists()
    assert dead_links(installation) == []
    installation.configure([publisher.url("/feed")], "[publish]\narchive_all = true\n")
    installation.run(NOON + DAY)
    assert sum(map(len, walk(installation, "all")[1:])) == 19
    publisher["/feed"] = rss(entry(1, title="Corrected"), *(entry(n) for n in range(2, 20)))
    installation.run(NOON + 2 * DAY)
    assert "Corrected" in (installation.outputs / "all" / "2026-11.atom").read_text("utf-8")
    assert not (installation.outputs / "unmatched").exists()
    assert dead_links(installation) == []


def dead_links(installation):
    """Links of pages to missing files in the outputs."""
    return [
        (page.name, link)
        for page in installation.outputs.rglob("*.html")
        for link in re.findall(r'href="([^"#]+)"', page.read_text("utf-8"))
        if not re.match(r"[a-z]+:", link) and not (page.parent / unquote(link)).exists()
    ]
