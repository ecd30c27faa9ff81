"""Direct evidence, which needs no model."""

from dataclasses import replace

from aggregator.match import build_vocabulary
from aggregator.match.evidence import DirectEvidence
from aggregator.model import Category, Clipping, Decision, Evidence, EvidenceKind, Role, TagSettings
from tests.harness import subscription
from tests.match.samples import FEED, NOW, make_stored

SETTINGS = [TagSettings("Bees", ("Hives",), match=("honey.*",)), TagSettings("Wax", match=("wax",))]
CLIPPINGS = [
    Clipping("Kept", "https://www.a.example/p/", "", ("bees", "Wax", "-")),
    Clipping("Other", "https://a.example/q", "", ("Bees",)),
    Clipping("No link", None, "", ("Bees",)),
]
SUBSCRIPTIONS = [
    replace(subscription(FEED, tags=("Hives", "-")), title="The Hive"),
    subscription("https://b.example/"),
]
ENTRY = make_stored(
    "Honey " + "x" * 200,
    "Of wax and honey",
    row=3,
    page="a.example/p",
    categories=(Category("none", None, "HIVES"), Category("bees"), Category("Wax"), Category("-")),
)
DECISIONS = [
    Decision(3, ENTRY.entry, "hives", confirmed=True),
    Decision(3, ENTRY.entry, "wax", confirmed=False),
    Decision(3, ENTRY.entry, "deleted", confirmed=True),
    Decision(4, ENTRY.entry, "bees", confirmed=False),
]
BY_READER = [
    ("bees", Evidence(EvidenceKind.DECISION, "", "reader", 1.0)),
    ("bees", Evidence(EvidenceKind.CLIPPED, "Kept", "link", 1.0)),
    ("wax", Evidence(EvidenceKind.CLIPPED, "Kept", "link", 1.0)),
]
BY_TEXT = [
    ("bees", Evidence(EvidenceKind.SUBSCRIPTION, "The Hive", "feed", 1.0)),
    ("bees", Evidence(EvidenceKind.CATEGORY, "HIVES", "category", 0.9)),  # once
    ("wax", Evidence(EvidenceKind.CATEGORY, "Wax", "category", 0.9)),
    ("bees", Evidence(EvidenceKind.RULE, "Honey " + "x" * 94, "title", 0.9)),  # the first place
    ("wax", Evidence(EvidenceKind.RULE, "wax", "text", 0.9)),
]


def direct_evidence(decisions=DECISIONS):
    vocabulary = build_vocabulary([], SETTINGS, [])
    return DirectEvidence(vocabulary, CLIPPINGS, SUBSCRIPTIONS, decisions)


def test_all_kinds_of_direct_evidence():
    assert list(direct_evidence().find(ENTRY)) == BY_READER + BY_TEXT


def test_clippings_and_pruned_entries_have_only_the_evidence_of_the_reader():
    for stored in (replace(ENTRY, role=Role.CLIPPINGS), replace(ENTRY, pruned_at=NOW)):
        assert list(direct_evidence().find(stored)) == BY_READER


def test_unrelated_entry_has_no_evidence():
    stored = make_stored("Tomatoes", row=9, feed_url="https://b.example/")
    assert list(direct_evidence().find(stored)) == []


def test_rejected_tags():
    assert direct_evidence().rejected_tags(ENTRY) == {"wax"}
    assert direct_evidence().rejected_tags(replace(ENTRY, row=9)) == set()
