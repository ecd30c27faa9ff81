import threading
import tomllib

import pytest

from aggregator.config import parse_config
from aggregator.config.edit import NewSubscription, add_subscriptions, subscriptions_toml
from aggregator.run.project import edit_config

NEW = NewSubscription(
    "https://new.example/feed", 'A "new" one', "fr", ("10.0.0.5/32",), "3 entries"
)
TEXT = """\
# My feeds.
[site]
url = "https://site.example/"   # where they are served

[[subscriptions]]
title = "One"       # the first
url = "https://one.example/feed"
# a remark on it

[tags."Communs"]
aliases = [ "commons",   # English
]
"""


def test_tables_ready_to_paste():
    text = subscriptions_toml([NEW, NewSubscription("https://b.example/", "B")])
    assert text == (
        '[[subscriptions]]\ntitle = "A \\"new\\" one" # 3 entries\n'
        'url = "https://new.example/feed"\nlanguage = "fr"\nallow_private = ["10.0.0.5/32"]\n\n'
        '[[subscriptions]]\ntitle = "B"\nurl = "https://b.example/"\n'
    )
    assert len(parse_config(text, "feeds.toml", {}).subscriptions) == 2


def test_comments_and_layout_are_kept():
    text, added = add_subscriptions(TEXT, [NEW])
    assert added == 1
    lines = iter(text.splitlines())
    assert all(line in lines for line in TEXT.splitlines())  # all of them, in their order
    before, after = tomllib.loads(TEXT), tomllib.loads(text)
    assert after["subscriptions"][0] == before["subscriptions"][0]
    assert after["subscriptions"][1]["url"] == NEW.url
    assert after["tags"] == before["tags"]


@pytest.mark.parametrize("text", ["", "# Nothing yet.\n", '[site]\ntitle = "T"\n'])
def test_first_subscription(text):
    text, added = add_subscriptions(text, [NEW])
    assert added == 1
    assert parse_config(text, "feeds.toml", {}).subscriptions[0].url == NEW.url


def test_existing_subscriptions_are_not_added_again():
    same = NewSubscription("http://www.one.example/feed/", "Other")
    assert add_subscriptions(TEXT, [same]) == (TEXT, 0)
    _, added = add_subscriptions(TEXT, [NEW, NEW])
    assert added == 1


def test_concurrent_edits_are_both_kept(tmp_path):
    path = tmp_path / "feeds.toml"
    path.write_text(TEXT)
    (tmp_path / ".tmp-feeds.toml-12345678").write_text("half")  # left by a killed process
    second = NewSubscription("https://b.example/", "B")

    def add_second():
        edit_config(path, lambda text: add_subscriptions(text, [second])[0], {})

    other = threading.Thread(target=add_second)

    def add(text):
        other.start()
        other.join(0.5)
        return add_subscriptions(text, [NEW])[0]

    edit_config(path, add, {})
    other.join()
    subscriptions = parse_config(path.read_text(), "feeds.toml", {}).subscriptions
    assert [each.title for each in subscriptions] == ["One", NEW.title, "B"]
    assert list(tmp_path.iterdir()) == [path]


def test_comment_cannot_add_toml():
    hostile = NewSubscription(
        "https://b.example/", "B", comment='x\n[store]\nurl = "sqlite:///y"\x07'
    )
    text, _ = add_subscriptions(TEXT, [hostile])
    assert "store" not in tomllib.loads(text)
    assert '# x [store] url = "sqlite:///y"' in text


def test_titles_stay_unique():
    text, _ = add_subscriptions(TEXT, [NewSubscription("https://b.example/", "One")])
    assert tomllib.loads(text)["subscriptions"][1]["title"] == "One (2)"


@pytest.mark.parametrize("text", ["[site", "subscriptions = 1\n", "subscriptions = [{}]\n"])
def test_invalid_toml_cannot_be_edited(text):
    with pytest.raises(ValueError, match=r"."):
        add_subscriptions(text, [NEW])
