"""Clippings and entries that several tests of matching share."""

from datetime import UTC, datetime
from functools import partial

from aggregator.match import build_vocabulary
from aggregator.match.matcher import Matcher
from aggregator.match.training import Trainer
from aggregator.model import Clipping, Entry, Feed, Role, StoredEntry

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
FEED = "https://a.example/feed"
BEES = [
    ("Le miel de printemps", "Les abeilles du rucher butinent le colza ; l'apiculteur récolte le miel."),
    ("Un essaim en ville", "L'apiculteur cueille un essaim d'abeilles et le pose dans une ruche vide."),
    ("Hiverner ses colonies", "Avant l'hiver, l'apiculteur nourrit les abeilles et isole le rucher."),
    ("Varroa", "Le varroa affaiblit les abeilles ; l'apiculteur traite chaque colonie du rucher."),
]  # fmt: skip
BIKES = [
    ("Changer une chambre", "Le pneu du vélo est crevé : démonter la roue et poser une chambre neuve."),
    ("Régler ses freins", "Les patins de frein du vélo usent la jante ; le câble se règle au levier."),
    ("La chaîne", "Une chaîne de vélo se nettoie, se graisse et se mesure avant que le pignon s'use."),
    ("Voyager léger", "Deux sacoches sur le porte-bagages du vélo, et le guidon reste libre."),
]  # fmt: skip


def make_clippings(bees=4, bikes=4):
    return [
        *(Clipping(title, f"https://b.example/{title}", text, ("Apiculture",)) for title, text in BEES[:bees]),
        *(Clipping(title, None, text, ("Mécanique",)) for title, text in BIKES[:bikes]),
    ]  # fmt: skip


def make_stored(title="", text="", row=1, role=Role.SUBSCRIPTION, feed_url=FEED, **fields):
    entry = Entry(key="k", id="urn:x", title=title, text=text, **fields)
    return StoredEntry(row, feed_url, Feed("urn:f", "F"), role, entry, NOW, NOW)


french = partial(make_stored, language="fr")
UNNAMED = french("Au rucher", "L'apiculteur visite ses abeilles, et chaque ruche de la colonie.")


def make_vocabulary(*tags, settings=(), subscriptions=()):
    clippings = [Clipping("T", None, "", (tag,)) for tag in tags]
    return build_vocabulary(clippings, settings, subscriptions)


def make_matcher(*tags, settings=(), clippings=(), subscriptions=()):
    """A matcher with one empty clipping of each tag."""
    clippings = [*clippings, *(Clipping("T", None, "", (tag,)) for tag in tags)]
    vocabulary = build_vocabulary(clippings, settings, subscriptions)
    return Matcher(vocabulary, clippings, subscriptions, Trainer(vocabulary, clippings, ()).train())


def train_matcher(clippings, settings=(), decisions=(), entries=()):
    vocabulary = build_vocabulary(clippings, settings, ())
    model = Trainer(vocabulary, clippings, entries, decisions).train()
    return Matcher(vocabulary, clippings, (), model, decisions)
