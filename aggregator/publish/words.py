"""What the outputs say in their own voice, in English and French."""

from dataclasses import dataclass

from aggregator.model import Evidence, EvidenceKind


@dataclass(frozen=True, slots=True)
class Words:
    """One language. ``reasons`` take ``{detail}`` and ``{where}``."""

    code: str
    why: str
    reasons: dict[EvidenceKind, str]
    places: dict[str, str]
    clipped: str
    tags: str
    one_entry: str
    entries: str
    no_entries: str
    subscribe: str
    all_feeds: str
    newest: str
    filter: str
    about: str
    from_: str

    def reason(self, evidence: Evidence) -> str:
        """A reason as a person would say it."""
        where = self.places.get(evidence.where, evidence.where)
        return self.reasons[evidence.kind].format(detail=evidence.detail, where=where)

    def count(self, number: int) -> str:
        """``number`` of entries, in words where that is none or one."""
        if number == 0:
            return self.no_entries
        return self.one_entry if number == 1 else self.entries.format(number=number)


_ENGLISH = Words(
    code="en",
    why="Here because:",
    reasons={
        EvidenceKind.CLIPPED: "clipped by the reader",
        EvidenceKind.CATEGORY: "category “{detail}”",
        EvidenceKind.SUBSCRIPTION: "everything from “{detail}”",
        EvidenceKind.RULE: "a rule finds “{detail}”",
        EvidenceKind.PHRASE: "“{detail}” in the {where}",
    },
    places={"title": "title", "lead": "lead", "body": "text"},
    clipped="Clipped by the reader",
    tags="Tags",
    one_entry="1 entry",
    entries="{number} entries",
    no_entries="no entry yet",
    subscribe="Atom feed",
    all_feeds="All feeds, to import into a feed reader (OPML)",
    newest="Newest",
    filter="Filter the tags",
    about="One Atom feed per tag. Copy a feed's address into your feed reader.",
    from_="from",
)

_FRENCH = Words(
    code="fr",
    why="Ici parce que :",
    reasons={
        EvidenceKind.CLIPPED: "gardé par le lecteur",
        EvidenceKind.CATEGORY: "catégorie « {detail} »",
        EvidenceKind.SUBSCRIPTION: "tout ce qui vient de « {detail} »",
        EvidenceKind.RULE: "une règle trouve « {detail} »",
        EvidenceKind.PHRASE: "« {detail} » dans le {where}",
    },
    places={"title": "titre", "lead": "chapeau", "body": "texte"},
    clipped="Gardé par le lecteur",
    tags="Étiquettes",
    one_entry="1 entrée",
    entries="{number} entrées",
    no_entries="encore aucune entrée",
    subscribe="fil Atom",
    all_feeds="Tous les fils, à importer dans un agrégateur (OPML)",
    newest="Nouveautés",
    filter="Filtrer les étiquettes",
    about="Un fil Atom par étiquette. Copiez l’adresse d’un fil dans votre agrégateur.",
    from_="de",
)


def words(language: str) -> Words:
    """French for ``fr`` and its variants, English for everything else."""
    return _FRENCH if language.lower().partition("-")[0] == "fr" else _ENGLISH
