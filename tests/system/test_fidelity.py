"""Nothing that the authors of real feeds wrote is lost; lxml is the judge (tests/fidelity.py)."""

from collections import defaultdict

from tests.fidelity import check
from tests.shared import shared

# Each document in which something differs, or the start of its name, and why it is right or cannot be.
EXCEPTIONS = {
    "displaced text": {
        "FeedReader__Rss20DaStandardAt.xml": "parts of it are encoded twice; it shows so elsewhere",
        "FeedReader__Rss20DerBrutkasten.xml": "the same",
        "podsearch__bredasys.com-PODCAST-Breda-PALPEBRA-Podcast.xml": "attributes without quotes",
    },
    "entries": {
        "FeedReader__Rss092FullSample.xml": "two items without title and link are equal",
        "FeedReader__Rss20LeFigaro.xml": "one item is listed twice",
        "fastfeedparser__tests-integration-osm-pl.xml": "one item is listed twice",
        "podsearch__brianclarkenuj.blogspot.com-atom.xml": "one post is listed twice",
        "podsearch__feeds.feedburner.com-teentechbuzz.xml": "lxml cannot read it",
        "podsearch__hellskitchen.podomatic.com-rss2.xml": "one episode is listed twice",
        "podsearch__qcp.podomatic.com-rss2.xml": "one episode is listed twice",
        "podsearch__radiazione.podOmatic.com-rss2.xml": "one episode is listed twice",
        "podsearch__rte.ie-radio1-podcast-podcast-documentaryonone.xml": "of 957, the newest 300",
        "rome__os-sample1.xml": "ten equal items",
    },
    "lost link": {
        "fastfeedparser__tests-integration-davidbau.xml": "the address contains a tag",
        "partitopirata__tag-elezioni-feed.xml": "the quotation mark is missing",
        "partitopirata__tag-medicoleak-feed.xml": "the quotation mark is missing",
        "partitopirata__tag-pplu-feed.xml": "the quotation mark is missing",
        "partitopirata__tag-sven-clement-feed.xml": "the quotation mark is missing",
        "podsearch__radiotux.de-podcast-rss-sendungen-mp3.xml": "the address ends with a quotation mark",
        "podsearch__vocalmixes.net-feed.xml": "the address contains a tag",
        "podsearch__web-development-apps.blogspot.com-feeds-posts-default.xml": "a space in the host",
    },
    "unread date": {
        "openp2pdesign__authors.xml": "the year 1",
        "podsearch__daveandtom.com-rss.xml": "06/10/2006 may be in June or October",
        "podsearch__rss-feed.s3.amazonaws.com-43478.xml": "1970, which means none",
        "podsearch__successinspired.com-pheedpress.xml": "1970, which means none",
    },
    "wrong language": {"armetiz__": "short texts between code"},
}  # fmt: skip


def test_everything_in_real_feeds_is_published():
    paths = [*shared("corpus", "feeds").iterdir(), *shared("corpus", "real").iterdir()]
    differences: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for path in sorted(paths):
        for kind, example in check(path):
            differences[kind].setdefault(path.name, example)
    assert len(paths) > 850
    unexplained = [
        (kind, name, example)
        for kind, names in differences.items()
        for name, example in names.items()
        if not name.startswith(tuple(EXCEPTIONS.get(kind, ())))
    ]
    assert unexplained == []
