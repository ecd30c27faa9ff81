import contextlib
from base64 import b64encode
from datetime import timedelta

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.config import json_schema, parse_config
from aggregator.errors import ConfigError
from aggregator.model import CombinedFeed, Role

GOOD = """\
[site]
title = "Communs"
url = "https://communs.example/feeds"
author = "Une lectrice"
language = "fr"

[clippings]
files = ["clippings/*.txt", "https://seenthis.example/people/me/feed"]

[[subscriptions]]
url = "https://blog.example/feed"
title = "Blog"
tags = ["Communs"]
language = "fr"
headers = { X-Key = "env:KEY", Accept-Language = "fr" }
auth = "env:LOGIN"
min_interval = "2 h"

[tags."Communs"]
aliases = "commons"
match = ["biens? communs?"]
threshold = 0.7
"""


def diagnostics(text, environment=None):
    with pytest.raises(ConfigError) as raised:
        parse_config(text, "feeds.toml", environment or {})
    return list(map(str, raised.value.diagnostics))


def test_every_setting_is_in_config():
    config = parse_config(GOOD, "feeds.toml", {"KEY": "k1", "LOGIN": "me:pw"})
    first, second = config.subscriptions
    assert config.site.url == "https://communs.example/feeds/"
    assert config.clippings == ("clippings/*.txt",)
    assert first.min_interval == timedelta(hours=2)
    assert dict(first.headers) == {"X-Key": "k1", "Accept-Language": "fr"}
    assert first.authorization == "Basic bWU6cHc="
    assert second.url == "https://seenthis.example/people/me/feed"
    assert config.tags[0].aliases == ("commons",)
    assert config.tags[0].threshold == 0.7


def test_defaults():
    config = parse_config('[[subscriptions]]\nurl = "https://a.example/"', "f", {})
    assert config.publish.live == 50
    assert config.publish.backfill == 10
    assert config.store_url == "sqlite:///aggregator.sqlite3"
    assert config.subscriptions[0].title == "https://a.example/"


def test_byte_order_mark_is_ignored():
    parse_config("\ufeff" + GOOD, "f", {"KEY": "k", "LOGIN": "Bearer x"})


def test_repr_shows_no_secrets():
    config = parse_config(GOOD, "f", {"KEY": "k1-secret", "LOGIN": "Bearer very-secret"})
    assert config.subscriptions[0].authorization == "Bearer very-secret"
    assert "secret" not in repr(config)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[site]\ntitel = 'x'", 'feeds.toml:2: unknown key "site.titel": did you mean "title"?'),
        ("[sight]\ntitle = 'x'", 'feeds.toml:1: unknown key "sight": did you mean "site"?'),
        (
            "[tags.A]\nalias = 'b'",
            'feeds.toml:2: unknown key "tags.A.alias": did you mean "aliases"?',
        ),
        (
            "[site]\nzzz = 1",
            'feeds.toml:2: unknown key "site.zzz": expected one of title, url, author, language',
        ),
        (
            "[site]\nurl = 'ftp://x.example/'",
            'feeds.toml:2: "site.url" is "ftp://x.example/": expected an address that starts with '
            '"https://" or "http://"',
        ),
        (
            "[publish]\nlive = 'ten'",
            'feeds.toml:2: "publish.live" is "ten": expected a whole number',
        ),
        (
            "[publish]\nbackfill = -1",
            'feeds.toml:2: "publish.backfill" is -1: expected a number greater than or equal to 0',
        ),
        (
            "[publish]\nexplain = 'maybe'",
            'feeds.toml:2: "publish.explain" is "maybe": expected true or false',
        ),
        (
            "[tags.A]\nmatch = '('",
            'feeds.toml:2: "tags.A.match" is "(": expected a regular expression: '
            "missing ), unterminated subpattern at position 0",
        ),
        (
            "[tags.A]\nthreshold = 2",
            'feeds.toml:2: "tags.A.threshold" is 2: expected a number less than or equal to 1',
        ),
        (
            "[tags.A]\naliases = [1]",
            'feeds.toml:2: "tags.A.aliases" is 1: expected text in quotes',
        ),
        (
            '[tags."_"]',
            'feeds.toml:1: "_" cannot be a tag: expected at least one letter or sign, on one line',
        ),
        (
            "[store]\nurl = 'mysql://x'",
            'feeds.toml:2: "store.url" is "mysql://x": expected "sqlite:///" and the path of the '
            'database file, or "postgresql://", the host and the name of the database',
        ),
        (
            "[site]\nlanguage = 'Français!'",
            'feeds.toml:2: "site.language" is "Français!": expected a language code such as "fr" '
            'or "en-GB"',
        ),
        ("site = 3", 'feeds.toml:1: "site" is 3: expected a table'),
        ("[publish]\nlive = true", 'feeds.toml:2: "publish.live" is true: expected a whole number'),
        (
            "[site]\ntitle = ' '",
            'feeds.toml:2: "site.title" is " ": expected some text on one line',
        ),
    ],
)
def test_error_names_file_line_key_value_and_expectation(line, message):
    subscription = '\n[[subscriptions]]\nurl = "https://a.example/"\n'
    assert diagnostics(line + subscription) == [message]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "feeds.toml: nothing is configured: expected at least one [[subscriptions]] or [clippings]"),
        ("# only a comment", "feeds.toml: nothing is configured: expected at least one [[subscriptions]] or [clippings]"),
        ("[site]\ntitle = 'x'", "feeds.toml: nothing to do: expected at least one [[subscriptions]] or [clippings] files"),
        ("[site\n", "feeds.toml:1: not valid TOML: Expected ']' at the end of a table declaration (column 6)"),
        ("a = 1\na = 2", "feeds.toml:2: not valid TOML: Cannot overwrite a value"),
        ("[[subscriptions]]\ntitle = 'no address'", 'feeds.toml:1: "subscriptions.url" is missing'),
        ("[[subscriptions]]\nurl = 'https://u:pw@a.example/?token=T'\nmin_interval = '2 weeks'", 'feeds.toml:3: "subscriptions.min_interval" is "2 weeks": expected a duration such as "90 s", "30 min", "2 h" or "1 d"'),
        ("a = " + "[" * 5000, "feeds.toml: not valid TOML: lists are nested too deeply"),
        ("a = " + "9" * 5000, "feeds.toml: not valid TOML: Exceeds the limit (4300 digits) for integer string conversion"),
        ("[[subscriptions]]\nurl = 'https://a.example/'\nmin_interval = '9999999999999 d'", 'feeds.toml:3: "subscriptions.min_interval" is "9999999999999 d": expected a duration of at most "3650 d"'),
        ("[[subscriptions]]\nurl = 'https://a.example/'\n[tags.a]\nmatch = '" + "(" * 5000 + ")" * 5000 + "'", 'feeds.toml:4: "tags.a.match" is "' + "(" * 60 + '…": expected a regular expression with less nesting'),
        ("[[subscriptions]]\nurl = 'https://a.example/'\n[tags.a]\nmatch = 'a{99999999999999}'", 'feeds.toml:4: "tags.a.match" is "a{99999999999999}": expected a regular expression: the repetition number is too large'),
        ("[[subscriptions]]\nurl = 'https://a.example/'\n[publish]\nmetrics = 'aggregator.sqlite3'", 'feeds.toml:4: "publish.metrics" is "aggregator.sqlite3": expected a file whose name ends in ".prom", or "none"'),
        ('[[subscriptions]]\nurl = "https://a.example/"\n[store]\nurl = "sqlite:///a\\u0000"', 'feeds.toml:4: "store.url" is "sqlite:///a\0": expected "sqlite:///" and the path of the database file, or "postgresql://", the host and the name of the database'),
        ("[[subscriptions]]\nurl = 'https://a.example/'\nauth = 'secret'", 'feeds.toml:3: "subscriptions.auth" is "secret": expected "env:NAME", the name of an environment variable that holds the secret'),
        ("[[subscriptions]]\nurl = 'https://a.example/'\nauth = 'env:NOPE'", 'feeds.toml:3: "auth" names the environment variable NOPE, which is not set'),
        ("[[subscriptions]]\nurl = 'https://a.example/'\nheaders = { X = 'env:NOPE' }", 'feeds.toml:3: "headers.X" names the environment variable NOPE, which is not set'),
        ("[[subscriptions]]\nurl = 'https://a.example/'\nheaders = { 'A b' = 'c' }", 'feeds.toml:3: "A b" cannot be a request header (RFC 9110 section 5)'),
        ("[[subscriptions]]\nurl = 'https://a.example/'\nheaders = { X = 'é' }", 'feeds.toml:3: "X" cannot be a request header (RFC 9110 section 5)'),
        ("[[subscriptions]]\nurl = 'https://a.example/'\nrepublish = 'some'", 'feeds.toml:3: "subscriptions.republish" is "some": expected "full" or "summary"'),
        ("[tags.a]\nrecall = 'low'", 'feeds.toml:2: "tags.a.recall" is "low": expected "high"'),
        ("[[subscriptions]]\nurl = 'https://a.example/'\nallow_private = '10.0.0.5/8'", 'feeds.toml:3: "subscriptions.allow_private" is "10.0.0.5/8": expected a network such as "10.0.0.5/32" or "fd00::/8"'),
        ("[[subscriptions]]\nurl = 'https://a.example/'\nallow_private = ['here']", 'feeds.toml:3: "subscriptions.allow_private" is "here": expected a network such as "10.0.0.5/32" or "fd00::/8"'),
        ("[[subscriptions]]\nurl = 'https://a.example/'\nallow_private = 10", 'feeds.toml:3: "subscriptions.allow_private" is 10: expected a list'),
        ("[[subscriptions]]\nurl = 'https://a.example/" + "x" * 4096 + "'", 'feeds.toml:2: "subscriptions.url" is "https://a.example/' + "x" * 42 + '…": expected an address of at most 4096 characters'),
        ("[[subscriptions]]\nurl = 'https://a.example/'\ntags = 3", 'feeds.toml:3: "subscriptions.tags" is 3: expected a list'),
    ],
)  # fmt: skip
def test_other_errors(text, message):
    assert diagnostics(text) == [message]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (" ", "which is empty"),
        ("Bearer s\r\nX-Evil: 1", "which has a character that headers must not contain"),
        ("Bearer \udcff", "which has a character that headers must not contain"),
        ("clé", "which has a character that headers must not contain"),
    ],
)
@pytest.mark.parametrize("line", ['auth = "env:KEY"', 'headers = { X = "env:KEY" }'])
def test_secrets_must_be_valid_header_values(line, value, reason):
    (message,) = diagnostics(
        f'[[subscriptions]]\nurl = "https://a.example/"\n{line}', {"KEY": value}
    )
    assert message.startswith("feeds.toml:3: ")
    assert f"names the environment variable KEY, {reason}" in message
    assert value not in message or not value.strip()


def test_password_may_contain_any_character():
    text = '[[subscriptions]]\nurl = "https://a.example/"\nauth = "env:KEY"'
    (subscription,) = parse_config(text, "f", {"KEY": "me:clé"}).subscriptions
    assert subscription.authorization == "Basic bWU6Y2zDqQ=="
    (subscription,) = parse_config(text, "f", {"KEY": "me:cl\udce9"}).subscriptions  # in Latin-1
    assert subscription.authorization == "Basic bWU6Y2zp"


def test_duplicate_subscription_after_normalizing():
    text = """\
[[subscriptions]]
url = "https://a.example/feed"
title = "First"

[[subscriptions]]
url = "http://www.a.example/feed/"
"""
    assert diagnostics(text) == [
        'feeds.toml:6: "http://www.a.example/feed/" is subscribed twice: "First" has the same '
        "address"
    ]


def test_subscription_with_address_of_clippings_feed():
    text = """\
[clippings]
files = "https://a.example/feed"
[[subscriptions]]
url = "https://a.example/feed"
"""
    assert "is subscribed twice" in diagnostics(text)[0]


def test_duplicate_titles():
    text = "".join(
        f'[[subscriptions]]\nurl = "https://{h}.example/"\ntitle = "Same"\n' for h in "ab"
    )
    assert diagnostics(text) == [
        'feeds.toml:6: two subscriptions are called "Same": https://a.example/ and '
        "https://b.example/"
    ]


def test_duplicate_tags_and_aliases():
    text = """\
[clippings]
files = "x"
[tags.Communs]
aliases = ["commons"]
[tags.Biens]
aliases = [
  "bien",
  "Commons",
]
[tags.communs]
[tags.Autre]
aliases = ["Biens"]
"""
    assert diagnostics(text) == [
        'feeds.toml:6: the alias "Commons" of the tag "Biens" already belongs to "Communs"',
        'feeds.toml:10: the tags "Communs" and "communs" are the same word',
        'feeds.toml:12: the alias "Biens" of the tag "Autre" already belongs to "Biens"',
    ]


def test_all_errors_are_reported_in_file_order():
    text = """\
[site]
titel = "x"

[[subscriptions]]
url = "https://a.example/"

[[subscriptions]]
url = "gopher://b.example/"
tag = "x"
"""
    assert [m.split(":")[1] for m in diagnostics(text)] == ["2", "8", "9"]


def test_schema_describes_every_key():
    schema = json_schema()
    assert list(schema["properties"]) == [
        "site", "clippings", "subscriptions", "tags", "feeds", "matching", "store", "publish"
    ]  # fmt: skip
    for table in schema["$defs"].values():
        for name, key in table["properties"].items():
            assert key.get("description"), name
    assert schema["additionalProperties"] is False


keys = st.sampled_from(
    [
        "site", "title", "url", "author", "language", "clippings", "files", "subscriptions", "tags",
        "headers", "auth", "min_interval", "aliases", "match", "description", "threshold", "store",
        "publish", "directory", "live", "backfill", "explain", "A",
    ]
)  # fmt: skip
values = st.recursive(
    st.none().map(lambda _: 0)
    | st.booleans()
    | st.integers(-3, 10**19)
    | st.floats(allow_nan=True)
    | st.text(max_size=5)
    | st.sampled_from(["https://a.example/", "env:X", "2 h", "(", "sqlite:///x", "1979-05-27"])
    | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(keys, values, max_size=5))
def test_any_toml_gives_config_or_errors(document):
    text = tomlkit.dumps(document)
    try:
        parse_config(text, "feeds.toml", {})
    except ConfigError as error:
        assert error.diagnostics
        for diagnostic in error.diagnostics:
            assert "\n" not in str(diagnostic)
            assert diagnostic.line is None or 1 <= diagnostic.line <= text.count("\n") + 1


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="[]{}=\"'\n#.,abc 1\\ué", max_size=60))
def test_any_text_raises_only_config_errors(text):
    with contextlib.suppress(ConfigError):
        parse_config(text, "feeds.toml", {})


def test_line_numbers_of_inline_tables_and_multiline_values():
    text = """\
# a comment
subscriptions = [
  { url = "https://a.example/" },
  { url = "ftp://b.example/", tag = "x" },
]

[site]
title = \"\"\"
two
lines\"\"\"
"""
    assert diagnostics(text) == [
        'feeds.toml:2: "subscriptions.url" is "ftp://b.example/": expected an address that starts '
        'with "https://" or "http://"',
        'feeds.toml:2: unknown key "subscriptions.tag": did you mean "tags"?',
        'feeds.toml:8: "site.title" is "two␤lines": expected some text on one line',
    ]


def test_secrets_in_url_are_used_but_not_in_key():
    text = """
[clippings]
files = "https://c:d@c.example/?auth=T"
[[subscriptions]]
url = "https://me:p%20w@a.example/feed?token=T1&page=2"
[[subscriptions]]
url = "https://you@b.example/feed"
"""
    first, second, clippings = parse_config(text, "feeds.toml", {}).subscriptions
    assert (first.url, first.key) == (
        "https://a.example/feed?token=T1&page=2",
        "https://a.example/feed?page=2",
    )
    assert first.authorization == "Basic " + b64encode(b"me:p w").decode()
    assert second.authorization == "Basic " + b64encode(b"you:").decode()
    assert (clippings.key, clippings.title) == ("https://c.example/", "https://c.example/?auth=…")
    assert clippings.authorization == "Basic " + b64encode(b"c:d").decode()
    assert "T1" not in repr(first)


def test_urls_that_differ_only_in_secret_need_fragment():
    text = "".join(
        f"[[subscriptions]]\nurl = 'https://a.example/feed?token={token}{fragment}'\n"
        for token, fragment in (("T1", ""), ("T2", ""), ("T3", "#third"))
    )
    assert diagnostics(text) == [
        'feeds.toml:4: "https://a.example/feed?token=…" differs from another address only in its '
        "secret: add a fragment such as #second to tell them apart"
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("https://a.example/feed?token=T1", "https://a.example/feed?token=T2#second"),
        ("https://me:one@a.example/feed", "https://you:two@a.example/feed#second"),
        ("https://a.example/feed", "https://you:two@a.example/feed#second"),
        ("https://a.example/feed#first", "https://a.example/feed#second"),
        ("https://a.example/feed#1", "https://a.example/feed#2"),
        ("https://a.example/feed", "https://www.a.example/feed/#second"),
    ],
)
def test_fragment_tells_two_accounts_of_one_address_apart(first, second):
    text = f"[[subscriptions]]\nurl = '{first}'\n[[subscriptions]]\nurl = '{second}'\n"
    subscriptions = parse_config(text, "f", {}).subscriptions
    assert len({s.key for s in subscriptions}) == len({s.title for s in subscriptions}) == 2
    assert not any("T1" in s.key or "one" in s.key for s in subscriptions)
    clippings = f"[clippings]\nfiles = ['{first}', '{second}']\n"
    assert len({s.key for s in parse_config(clippings, "f", {}).subscriptions}) == 2


def test_two_accounts_with_variables_need_a_fragment():
    account = "[[subscriptions]]\nurl = 'https://a.example/feed{}'\nauth = 'env:{}'\n"
    environment = {"ONE": "me:1", "TWO": "you:2"}
    text = account.format("", "ONE") + account.format("#second", "TWO")
    first, second = parse_config(text, "f", environment).subscriptions
    assert first.authorization != second.authorization
    assert (first.key, second.key) == ("https://a.example/feed", "https://a.example/feed#second")
    assert diagnostics(account.format("", "ONE") + account.format("", "TWO"), environment) == [
        'feeds.toml:5: "https://a.example/feed" is subscribed twice: "https://a.example/feed" has the '
        "same address: add a fragment such as #second to tell the accounts apart"
    ]


def test_titles_that_replace_those_of_publishers():
    text = (
        "[[subscriptions]]\nurl = 'https://me:secret@a.example/feed?token=x&p=1'\ntitle = 'A'\n"
        "[[subscriptions]]\nurl = 'https://b.example/feed'\n"
        "[[subscriptions]]\nurl = 'https://b.example/feed#second'\ntitle = 'B'\n"
    )
    config = parse_config(text, "f", {})
    assert config.publish.source_titles == {
        "https://a.example/feed?p=1": "A", "https://b.example/feed#second": "B"
    }  # fmt: skip
    assert config.publish.source_titles.keys() <= {s.key for s in config.subscriptions}


def test_thumbnails():
    assert parse_config("[clippings]\nfiles = 'c.txt'\n", "f", {}).publish.thumbnails
    without = "[clippings]\nfiles = 'c.txt'\n[publish]\nthumbnails = false\n"
    assert not parse_config(without, "f", {}).publish.thumbnails


def test_same_fragment_is_the_same_subscription():
    text = "[[subscriptions]]\nurl = 'https://a.example/feed#second'\n" * 2
    assert "is subscribed twice" in diagnostics(text)[0]


PRIVATE_ADDRESSES = [
    "https://feeds.pinboard.in/rss/secret:0123abc/u:me/",
    "https://feeds.pinboard.in/json/secret:0123abc/u:me/t:communs/",
    "https://l.example/feeds/k/all",
    "https://l.example/linkding/feeds/0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c/unread",
    "https://l.example/feeds/0f1e2d3c/shared",
    "https://w.example/feed/me/T/all",
    "https://w.example/feed/me/gNeOvHDV2rdg5Kd/tags/communs",
    "https://w.example/me/T/unread.xml",
    "https://www.instapaper.com/rss/123/abcDEF",
    "https://feedbin.com/starred/abc.xml",
    "https://feeds.delicious.com/v2/rss/me?private=abc",
    "https://a.example/feed?token=abc",
    "https://a.example/feed?key=abc",
    "https://me:password@a.example/feed",
    "https://me@a.example/feed",
    "https://a.example/3fa85f64-5717-4562-b3fc-2c963f66afa6/feed",
    "https://a.example/u/9f86d081884c7d659a2feaa0c55ad015/atom",
    "https://a.example/i/?a=rss&user=me&t=xK3jD82mQp4Lz",
    "https://calendar.example/private-0a1b2c/basic",
]
PUBLIC_ADDRESSES = [
    "https://feeds.pinboard.in/rss/u:me/",
    "https://feeds.pinboard.in/rss/u:me/t:p2p/",
    "https://links.example/?do=atom",
    "https://links.example/shaarli/feed/atom?&nb=all",
    "https://l.example/feeds/shared",
    "https://seenthis.net/people/me/feed",
    "https://hypothes.is/stream.atom?user=me",
    "https://links.example/feed/rss?searchtags=communs+p2p2017",
    "https://blog.p2pfoundation.net/2018/01/18/smart-2018-le-plan-de-transition/feed",
    "https://a.example/michelbauwens1958/MichelBauwens/HistoryOfTheCommons.xml",
    "https://a.example/bookmarks/2026-11-24T10-00/feed?page=1234567890123456",
    "https://a.example/collection/feed.atom",
]


@pytest.mark.parametrize(
    ("url", "role"),
    [
        *((url, Role.PRIVATE_CLIPPINGS) for url in PRIVATE_ADDRESSES),
        *((url, Role.CLIPPINGS) for url in PUBLIC_ADDRESSES),
    ],
)
def test_clippings_with_a_secret_in_their_address_are_private(url, role):
    files = f"[clippings]\nfiles = ['{url}', 'a.txt']\n"
    (clippings,) = parse_config(files, "f", {}).subscriptions
    assert clippings.role is role
    for secret in ("secret:0", "0f1e", "gNeO", "3fa8", "9f86", "abc", "password", "xK3"):
        assert role is Role.CLIPPINGS or secret not in clippings.title
    (clippings,) = parse_config(f"{files}public = '{url}'\n", "f", {}).subscriptions
    assert clippings.role is Role.CLIPPINGS
    (other,) = parse_config(f"[[subscriptions]]\nurl = '{url}'\n", "f", {}).subscriptions
    assert other.role is Role.SUBSCRIPTION


def test_public_clippings_are_among_the_files():
    text = "[clippings]\nfiles = 'a.html'\npublic = ['a.html', 'b.html']\n"
    assert diagnostics(text) == ['feeds.toml:3: "b.html" is not in "files" of [clippings]']


def test_allow_private_and_republish():
    text = """
[clippings]
files = "https://c.example/"
allow_private = "fd00::/8"
[[subscriptions]]
url = "https://a.example/"
republish = "summary"
allow_private = ["10.0.0.5", "192.168.0.0/16"]
"""
    config = parse_config(text, "feeds.toml", {})
    feed, clippings = config.subscriptions
    assert list(map(str, feed.allow_private)) == ["10.0.0.5/32", "192.168.0.0/16"]
    assert list(map(str, clippings.allow_private)) == ["fd00::/8"]
    assert config.publish.summary_only == {"https://a.example/"}


FEEDS = '[clippings]\nfiles = "c.txt"\n'


def test_combined_feeds():
    config = parse_config(
        FEEDS + '[[feeds]]\nname = "Both"\nquery = "communs AND -lang:en"\ntitle = "T"\n'
        '[publish]\nalso = ["all"]\ncompress = ["br"]\nper_source = 3\n'
        'hub = "https://hub.example/"\nmetrics = "none"\n',
        "feeds.toml",
        {},
    )
    assert config.feeds == (CombinedFeed("Both", "communs AND -lang:en", "T", None),)
    publish = config.publish
    assert (publish.also, publish.compress, publish.per_source) == (("all",), ("br",), 3)
    assert (publish.hub, publish.metrics) == ("https://hub.example/", None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[[feeds]]\nname = "B"\nquery = "a AND (b"\n',
            'feeds.toml:5: "feeds.query" is "a AND (b": unexpected end (column 9)',
        ),
        (
            '[[feeds]]\nname = "B"\nquery = "colour:red"\n',
            'feeds.toml:5: "feeds.query" is "colour:red": unknown field "colour": expected one '
            "of author, category, is, lang, source, tag, text, title (column 1)",
        ),
        (
            '[[feeds]]\nname = "B"\nquery = "a"\n[[feeds]]\nname = "b"\nquery = "c"\n',
            'feeds.toml:7: two [[feeds]] are called "b"',
        ),
        ('[[feeds]]\nquery = "a"\n', 'feeds.toml:3: "feeds.name" is missing'),
        ('[[feeds]]\nname = "B"\nquery = "a"\ntag = 1\n', 'unknown key "feeds.tag"'),
        ('[publish]\nalso = ["everything"]\n', '"publish.also" is "everything": expected "all"'),
    ],
)
def test_errors_in_combined_feeds(text, message):
    with pytest.raises(ConfigError) as caught:
        parse_config(FEEDS + text, "feeds.toml", {})
    assert message in str(caught.value)
