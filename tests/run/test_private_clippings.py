"""Private bookmarks teach matching, and no output contains anything of them."""

from datetime import timedelta

import pytest

from aggregator.run.project import open_project
from tests.harness import LOOPBACK, NOON, item, rss

DAY = timedelta(days=1)
SITE = '[site]\nurl = "https://site.example/"\n[clippings]\nfiles = "bookmarks.html"\n'
SECRETS = (
    "zanzibar",
    "quokka",
    "xylophone",
)  # in title, address, note and tags of private bookmarks


def bookmarks(*lines):
    body = "\n".join(f"<DT>{line}" for line in lines)
    return f"<!DOCTYPE NETSCAPE-Bookmark-file-1>\n<DL><p>\n{body}\n</DL><p>\n"


def public(name="Tools", tags="communs", private=0):
    link = f"https://public.example/{name.lower()}"
    return f'<A HREF="{link}" PRIVATE="{private}" TAGS="{tags}">{name}</A>\n<DD>Shared workshops.'


PRIVATE = (
    '<A HREF="https://quokka.example/zanzibar" PRIVATE="1" TAGS="xylophone,communs,.wombat">'
    "Zanzibar notary deeds</A>\n<DD>Quokka: the notary registers the deeds of the allotment gardens."
)


def outputs(installation):
    """Names and texts of all outputs, in lower case."""
    return "\n".join(
        f"{name}\n{data.decode(errors='replace')}"
        for name, (data, _) in installation.snapshot().items()
    ).lower()


def assert_nothing_private(installation):
    text = outputs(installation)
    assert [word for word in (*SECRETS, "wombat") if word in text] == []


def test_no_output_contains_anything_of_a_private_bookmark(installation):
    installation.write("feeds.toml", SITE)
    installation.write("bookmarks.html", bookmarks(public(), PRIVATE))
    report = installation.run()
    assert "tools" in outputs(installation)
    assert_nothing_private(installation)
    assert report.warnings == ("1 private bookmark is used for matching and not published",)


@pytest.mark.parametrize("mark", ['PRIVATE="1"', 'private="True"', "PRIVATE", 'PRIVATE="yes"'])
def test_every_spelling_of_private(installation, mark):
    installation.write("feeds.toml", SITE)
    text = bookmarks(public(), PRIVATE.replace('PRIVATE="1"', mark))
    installation.write("bookmarks.html", text)
    installation.run()
    assert_nothing_private(installation)


def test_matching_learns_from_private_bookmarks_without_naming_them(installation, publisher):
    body = "The notary registers the deeds of the allotment gardens of Gand. " * 3
    publisher["/feed"] = rss(
        item("Notary deeds of the allotment", "https://feed.example/a", body=body),
        *(
            item(
                f"Football {n}", f"https://feed.example/{n}", body=f"Goal number {n} of the match."
            )
            for n in range(3)
        ),
    )
    private = (
        f'<A HREF="https://quokka.example/{n}" PRIVATE="1" TAGS="communs">Zanzibar notary {n}</A>'
        f"\n<DD>The notary registers the deeds of the allotment gardens {n}."
        for n in range(4)
    )
    others = (public(f"Bicycle{n}", "velo") for n in range(4))
    installation.write("bookmarks.html", bookmarks(public(), *private, *others))
    url = publisher.url("/feed")
    more = '[tags."communs"]\nrecall = "high"\n'
    installation.write("feeds.toml", f'{SITE}[[subscriptions]]\nurl = "{url}"\n{LOOPBACK}{more}')
    installation.run()
    feed = (installation.outputs / "communs.atom").read_text("utf-8")
    assert "Notary deeds of the allotment" in feed
    assert "similar to the clippings of this tag: " in feed
    assert_nothing_private(installation)


def test_page_of_a_private_bookmark_is_not_marked_as_clipped(installation, publisher):
    link = "https://feed.example/quokka"
    publisher["/feed"] = rss(item("Communs", "https://feed.example/a", body="Les communs."))
    url = publisher.url("/feed")
    installation.write("feeds.toml", f'{SITE}[[subscriptions]]\nurl = "{url}"\n{LOOPBACK}')
    private = '<A HREF="https://feed.example/a" PRIVATE="1" TAGS="communs">Zanzibar</A>'
    installation.write("bookmarks.html", bookmarks(public(), private))
    installation.run()
    feed = (installation.outputs / "communs.atom").read_text("utf-8")
    assert link not in feed
    assert "https://feed.example/a" in feed
    assert feed.count('term="clipped"') == 1  # the public bookmark
    assert_nothing_private(installation)


def test_bookmark_that_becomes_private_leaves_all_feeds(installation):
    installation.write("feeds.toml", SITE)
    shown = PRIVATE.replace('PRIVATE="1"', 'PRIVATE="0"').replace("xylophone,communs", "communs")
    installation.write("bookmarks.html", bookmarks(public(), shown))
    installation.run()
    assert "zanzibar" in outputs(installation)
    assert "wombat" not in outputs(installation)
    installation.write("bookmarks.html", bookmarks(public(), PRIVATE))
    installation.run(NOON + DAY)
    assert "tools" in outputs(installation)
    assert_nothing_private(installation)
    installation.write("bookmarks.html", bookmarks(public(), shown))
    installation.run(NOON + 2 * DAY)
    assert "zanzibar" in outputs(installation)


def test_bookmark_that_becomes_private_leaves_the_evidence(installation, publisher):
    publisher["/feed"] = rss(item("Communs", "https://feed.example/a"))
    url = publisher.url("/feed")
    installation.write("feeds.toml", f'{SITE}[[subscriptions]]\nurl = "{url}"\n{LOOPBACK}')
    clipped = '<A HREF="https://feed.example/a" PRIVATE="0" TAGS="communs">Zanzibar</A>'
    installation.write("bookmarks.html", bookmarks(public(), clipped))
    installation.run()
    feed = installation.outputs / "communs.atom"
    assert feed.read_text("utf-8").count('term="clipped"') == 2
    installation.write("bookmarks.html", bookmarks(public(), clipped.replace('"0"', '"1"')))
    installation.run(NOON + DAY)
    assert feed.read_text("utf-8").count('term="clipped"') == 1
    assert_nothing_private(installation)


def test_tag_of_private_bookmarks_is_published_if_feeds_toml_names_it(installation):
    installation.write("feeds.toml", SITE + '[tags."Xylophone"]\n')
    installation.write("bookmarks.html", bookmarks(public(), PRIVATE))
    installation.run()
    assert (installation.outputs / "xylophone.atom").exists()
    assert "zanzibar" not in outputs(installation)
    assert not list(installation.outputs.glob("*wombat*"))


def test_public_spelling_of_a_tag_is_shown(installation):
    installation.write("feeds.toml", SITE)
    private = PRIVATE.replace("communs", "COMMUNS")
    installation.write("bookmarks.html", bookmarks(public(tags="Communs"), private, private))
    installation.run()
    index = (installation.outputs / "index.html").read_text("utf-8")
    assert "#Communs" in index
    assert "COMMUNS" not in index


def test_all_bookmarks_of_a_file_may_be_declared_public(installation):
    installation.write("feeds.toml", SITE + 'public = "bookmarks.html"\n')
    installation.write("bookmarks.html", bookmarks(PRIVATE))
    assert installation.run().warnings == ()
    assert "zanzibar" in outputs(installation)
    assert "wombat" not in outputs(installation)


def secret_feed(installation, publisher, more=""):
    url = publisher.url("/secret:quokka0/u:me/")
    publisher["/secret:quokka0/u:me/"] = rss(
        item("Zanzibar", "https://quokka.example/z", more="<category>xylophone</category>")
    )
    text = (
        f'[site]\nurl = "https://site.example/"\n[clippings]\nfiles = ["bookmarks.html", "{url}"]\n'
    )
    installation.write("feeds.toml", text + LOOPBACK + more.replace("URL", url))
    installation.write("bookmarks.html", bookmarks(public()))
    return url


def test_feed_with_a_secret_address_is_not_published(installation, publisher):
    secret_feed(installation, publisher)
    report = installation.run()
    assert report.new == 1
    assert "1 private bookmark is used for matching and not published" in report.warnings
    assert_nothing_private(installation)


def test_failures_of_a_secret_feed_are_not_published(installation, publisher):
    secret_feed(installation, publisher)
    publisher["/secret:quokka0/u:me/"] = b"<html>"
    for day in range(8):
        installation.run(NOON + day * DAY)
    assert_nothing_private(installation)


def test_feed_with_a_secret_address_that_is_public(installation, publisher):
    url = secret_feed(installation, publisher, 'public = "URL"\n')
    installation.run()
    assert "zanzibar" in outputs(installation)
    secret_feed(installation, publisher)  # and private from now on
    installation.run(NOON + DAY)
    text = outputs(installation)
    assert "quokka.example" not in text
    assert "zanzibar" not in text
    installation.write("feeds.toml", SITE)  # no longer polled, and still private
    installation.run(NOON + 2 * DAY)
    assert "zanzibar" not in outputs(installation)
    assert url.encode() not in b"".join(data for data, _ in installation.snapshot().values())
    secret_feed(installation, publisher, 'public = "URL"\n')
    installation.run(NOON + 3 * DAY)
    assert "zanzibar" in outputs(installation)


def test_decision_about_a_private_bookmark_is_no_evidence(installation, publisher):
    secret_feed(installation, publisher, 'public = "URL"\n[tags."Communs"]\n')
    installation.run()
    with_store = installation.store()
    (entry,) = with_store.matches.find_entries("https://quokka.example/z", "quokka.example/z")
    with_store.training.save_decision([entry.stored.row], "communs", True, NOON)
    assert len(with_store.training.decisions()) == 1
    with_store.close()
    secret_feed(installation, publisher, '[tags."Communs"]\n')
    installation.run(NOON + DAY)
    with_store = installation.store()
    assert with_store.training.decisions() == []
    assert with_store.matches.find_entries("https://quokka.example/z", "quokka.example/z") == []
    with_store.close()


ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>F</title><id>urn:f</id>
<entry><title>One &lt;item&gt;</title><id>urn:1</id><content type="html"><![CDATA[<item>]]></content></entry>
<!-- <entry/> --><entry><title>Two</title><id>{}</id></entry></feed>"""


@pytest.mark.parametrize(
    ("identifier", "warnings"),
    [
        ("urn:2", []),
        ("urn:1", ["1 duplicate", "of 2 entries in the file, 1 were read"]),
    ],
)
def test_entries_of_a_feed_that_are_not_read_are_reported(tmp_path, identifier, warnings):
    (tmp_path / "feeds.toml").write_text('[clippings]\nfiles = "f.atom"\n')
    text = ATOM.format(identifier)
    if warnings:
        text = text.replace("Two", "One &lt;item&gt;").replace(
            f"<id>{identifier}</id></entry></feed>",
            f'<id>{identifier}</id><content type="html"><![CDATA[<item>]]></content></entry></feed>',
        )
    (tmp_path / "f.atom").write_text(text)
    project = open_project(tmp_path / "feeds.toml", {}, NOON)
    found = [str(warning) for warning in project.warnings]
    assert len(found) == len(warnings), found
    assert all(warning in line for warning, line in zip(warnings, found, strict=True))


def test_private_bookmarks_are_reported(tmp_path):
    text = 'files = ["b.html", "c.html", "https://l.example/feeds/k/all"]\npublic = "c.html"\n'
    (tmp_path / "feeds.toml").write_text(f"[clippings]\n{text}")
    (tmp_path / "b.html").write_text(bookmarks(public(), PRIVATE, PRIVATE))
    (tmp_path / "c.html").write_text(bookmarks(PRIVATE))
    project = open_project(tmp_path / "feeds.toml", {}, NOON)
    assert [clipping.private for clipping in project.clippings] == [False, True, True, False]
    assert [str(warning) for warning in project.warnings] == [
        "b.html: 2 private bookmarks are used for matching and not published",
        f'{tmp_path}/feeds.toml: "https://l.example/…": the address is a secret, so its bookmarks are '
        'used for matching and not published, unless "public" of [clippings] lists it',
    ]
