from aggregator.clippings import clipping_from_entry, entries_from_clippings
from aggregator.clippings.clipping_entries import make_publishable
from aggregator.model import Clipping


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
    assert (clipping.title, clipping.link) == ("https://%7Ba.example/p",) * 2
    assert (clipping.excerpt, clipping.tags) == ("Words.\nMore.", ())
    assert make_publishable(Clipping("\x01", None, "Words.\nMore.", ())).title == "Words."


def test_empty_clipping_gives_no_entry():
    assert (
        entries_from_clippings([make_publishable(Clipping("\x01", None, "\x02", ("Communs",)))])
        == []
    )
