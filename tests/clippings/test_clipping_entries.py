from aggregator.clippings import (
    clipping_from_entry,
    entries_from_clippings,
    private_warning,
    without_private_tags,
)
from aggregator.clippings.clipping_entries import make_publishable
from aggregator.model import Category, Clipping, Entry


def test_page_clipped_twice_is_one_entry_with_all_tags():
    (entry,) = entries_from_clippings(
        [
            Clipping("One", "https://a.example/p", "x", ("Communs", "P2P")),
            Clipping("Two", "http://www.a.example/p/?utm_source=x", "y", ("communs", "Gand")),
        ]
    )
    assert entry.title == "One"
    assert [c.term for c in entry.categories] == ["Communs", "Gand", "P2P"]


def test_clippings_without_link_are_separate_entries():
    entries = entries_from_clippings([Clipping("T", None, x, ()) for x in ("one", "two")])
    assert len({entry.key for entry in entries}) == 2
    assert [entry.page for entry in entries] == [None, None]


def test_excerpt_is_escaped():
    (entry,) = entries_from_clippings(
        [Clipping("T", "https://a.example/", "<script>x</script>\n\nTwo & three", ())]
    )
    assert entry.content == (
        "<blockquote><p>&lt;script&gt;x&lt;/script&gt;</p><p>Two &amp; three</p></blockquote>"
    )


def test_clipping_round_trip():
    clipping = Clipping("T", "https://a.example/", "Words.", ("Communs", "P2P"))
    (entry,) = entries_from_clippings([clipping])
    assert clipping_from_entry(entry) == clipping


def test_invalid_characters_are_removed():
    clipping = make_publishable(
        Clipping("\x01 \x1b", "https://{a.example/\ufffep", "\x02Words.\nMore.", ("\x03",))
    )
    assert (clipping.title, clipping.link) == ("Words.", None)  # no host has a bracket
    assert (clipping.excerpt, clipping.tags) == ("Words.\nMore.", ())
    assert make_publishable(Clipping("\x01", None, "Words.\nMore.", ())).title == "Words."


def test_empty_clipping_gives_no_entry():
    assert (
        entries_from_clippings([make_publishable(Clipping("\x01", None, "\x02", ("Communs",)))])
        == []
    )


def test_private_clipping_gives_no_entry():
    private = Clipping("Secret", "https://a.example/", "x", ("Communs",), private=True)
    public = Clipping("Open", "https://a.example/", "y", ("P2P",))
    (entry,) = entries_from_clippings([private, public])
    assert (entry.title, [c.term for c in entry.categories]) == ("Open", ["P2P"])


def test_tags_of_private_clippings_only_are_hidden():
    public = Clipping("One", None, "", ("Communs", "Pair_à_pair"))
    private = Clipping(
        "Two", None, "", ("communs", "PAIR A PAIR", "project_x", "named"), private=True
    )
    shown, hidden = without_private_tags([public, private], ["Named"])
    assert shown == public
    assert hidden.tags == ("Communs", "Pair_à_pair", "Named")
    assert without_private_tags([private], [])[0].tags == ()


def test_warning_counts_private_clippings():
    private = Clipping("One", None, "", (), private=True)
    assert private_warning([private, private, Clipping("Two", None, "", ())]) == [
        "2 private bookmarks are used for matching and not published"
    ]
    assert private_warning([]) == []


def entry(*terms):
    return Entry("k", "urn:x", "T", "https://a.example/", categories=tuple(map(Category, terms)))


def test_pinboard_has_all_tags_in_one_category():
    feed = "https://feeds.pinboard.in/rss/u:me/"
    assert clipping_from_entry(entry("communs .secret Pair_à_pair"), feed).tags == (
        "communs",
        "Pair_à_pair",
    )
    assert clipping_from_entry(entry("bien commun", ".secret")).tags == ("bien commun",)
