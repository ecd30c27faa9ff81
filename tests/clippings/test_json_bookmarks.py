import json
from datetime import UTC, datetime

import pytest

from aggregator.clippings import parse_clippings
from aggregator.clippings.json_bookmarks import is_json_bookmarks, parse_json_bookmarks
from aggregator.errors import ConfigError

NOVEMBER = datetime(2017, 11, 1, tzinfo=UTC)
PINBOARD = {
    "href": "https://a.example/", "description": "A  title", "extended": "A note.\n\nMore.",
    "meta": "1", "hash": "2", "time": "2017-11-01T00:00:00Z", "shared": "yes", "toread": "yes",
    "tags": "communs Pair_à_pair .secret",
}  # fmt: skip
SHAARLI = {
    "id": 1, "url": "https://a.example/", "shorturl": "AbC", "title": "A title",
    "description": "A note.\n\nMore.", "tags": ["communs", "Pair_à_pair", ".secret"],
    "private": False, "created": "2017-11-01T01:00:00+01:00", "updated": "",
}  # fmt: skip
WALLABAG = {
    "is_archived": 0, "is_starred": 0, "user_name": "u", "id": 7, "title": "A title",
    "url": "https://a.example/", "is_public": True, "created_at": "2017-11-01T00:00:00+00:00",
    "description": "A note.\n\nMore.",
    "tags": [{"id": 1, "label": "communs", "slug": "communs"}, {"id": 2, "label": "Pair_à_pair"}],
}  # fmt: skip
LINKDING = {
    "id": 1, "url": "https://a.example/", "title": "A title", "description": "A note.\n\nMore.",
    "notes": "", "is_archived": False, "unread": True, "shared": True,
    "tag_names": ["communs", "Pair_à_pair"], "date_added": "2017-11-01T00:00:00.000001Z",
}  # fmt: skip


def read(*bookmarks):
    return parse_json_bookmarks(json.dumps(bookmarks).encode(), "b.json")


@pytest.mark.parametrize("bookmark", [PINBOARD, SHAARLI, WALLABAG, LINKDING])
def test_services(bookmark):
    (clipping,), warnings = read(bookmark)
    assert (clipping.title, clipping.link) == ("A title", "https://a.example/")
    assert (clipping.excerpt, clipping.tags) == ("A note.\n\nMore.", ("communs", "Pair_à_pair"))
    assert clipping.clipped_at.replace(microsecond=0) == NOVEMBER
    assert not clipping.private
    assert not warnings


@pytest.mark.parametrize(
    "bookmark",
    [
        PINBOARD | {"shared": "no"},
        PINBOARD | {"shared": ""},
        SHAARLI | {"private": True},
        SHAARLI | {"private": 1},
        SHAARLI | {"private": "1"},
        WALLABAG | {"is_public": False},
        WALLABAG | {"is_public": 0},
        WALLABAG | {"is_public": None},
        LINKDING | {"shared": False},
    ],
)
def test_private(bookmark):
    assert read(bookmark)[0][0].private


def test_format_is_detected():
    data = json.dumps([PINBOARD], indent=1).encode("utf-8-sig")
    assert is_json_bookmarks(data)
    (clipping,), _ = parse_clippings(data, "b.json", lambda *_: ((), ()))
    assert clipping.title == "A title"
    assert not is_json_bookmarks("[draft] • A clipping".encode())
    assert not is_json_bookmarks(b'{"version": "https://jsonfeed.org/version/1.1"}')


def test_what_is_left_out_is_reported():
    clippings, warnings = read(PINBOARD, {"title": "x"}, 3, SHAARLI | {"url": "javascript:x"})
    assert len(clippings) == 1
    assert [str(warning) for warning in warnings] == [
        f"b.json: left out bookmark {n}: it has no web address" for n in (2, 3, 4)
    ]
    assert "no bookmark" in str(read()[1][0])


@pytest.mark.parametrize("data", [b"[{", b"[{]", b"[" + b"[" * 100_000])
def test_damaged_file(data):
    with pytest.raises(ConfigError, match="not valid JSON"):
        parse_json_bookmarks(data, "b.json")


def test_fields_of_other_types_are_ignored():
    (clipping,), _ = read({"url": "https://a.example/", "title": 3, "tags": 4, "description": []})
    assert (clipping.title, clipping.tags, clipping.excerpt) == ("https://a.example/", (), "")
