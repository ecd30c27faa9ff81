"""What the outputs say in their own voice, in English and French."""

from dataclasses import dataclass

from aggregator.model import Evidence, EvidenceKind


@dataclass(frozen=True, slots=True)
class Words:
    """One language. ``reasons`` take ``{detail}`` and ``{where}``."""

    code: str
    why: str
    nearly: str
    also_at: str
    ended: str
    reasons: dict[EvidenceKind, str]
    places: dict[str, str]
    clipped: str
    tags: str
    one_entry: str
    entries: str
    no_entries: str
    subscribe: str
    atom: str
    others: str
    own_titles: dict[str, str]
    own_descriptions: dict[str, str]
    related: str
    clippings: str
    archive: str
    skip: str
    sources: str
    all_sources: str
    news_feed: str
    health: str
    source: str
    state: str
    stored: str
    problem: str
    history: str
    no_events: str
    since: str
    states: dict[str, str]
    months: tuple[str, ...]
    day: str
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
    nearly="Nearly here:",
    also_at="Also at:",
    ended="The feed “{name}” has ended: its tag or query is no more",
    reasons={
        EvidenceKind.DECISION: "the reader said so",
        EvidenceKind.CLIPPED: "clipped by the reader",
        EvidenceKind.CATEGORY: "category “{detail}”",
        EvidenceKind.SUBSCRIPTION: "everything from “{detail}”",
        EvidenceKind.RULE: "a rule finds “{detail}”",
        EvidenceKind.PHRASE: "“{detail}” in the {where}",
        EvidenceKind.NARROWER: "it belongs to “{detail}”",
        EvidenceKind.SIMILAR: "near to “{where}” by: {detail}",
        EvidenceKind.MEANING: "means about the same as “{where}”",
    },
    places={"title": "title", "lead": "lead", "body": "text"},
    clipped="Clipped by the reader",
    tags="Tags",
    one_entry="1 entry",
    entries="{number} entries",
    no_entries="no entry",
    subscribe="Subscribe",
    atom="Atom feed",
    others="Other feeds",
    own_titles={"all": "Everything", "unmatched": "Of no tag", "near-miss": "Nearly of a tag"},
    own_descriptions={
        "all": "Every entry of every source, and every clipping.",
        "unmatched": "What the sources wrote that belongs to no tag.",
        "near-miss": "What belongs to no tag, but nearly: read it to find what a tag misses.",
    },
    related="Related tags",
    clippings="Clippings behind this tag",
    archive="Archive",
    skip="Skip to the entries",
    sources="Sources",
    all_sources="All sources, to import into a feed reader (OPML)",
    news_feed="News of the sources (Atom)",
    health="The sources and how they are",
    source="Source",
    state="State",
    stored="Entries",
    problem="What is wrong",
    history="What happened",
    no_events="Nothing yet.",
    since="since",
    states={
        "new": "not polled yet",
        "ok": "well",
        "failing": "failing",
        "gone": "gone",
        "moved": "moved",
        "silent": "silent",
        "degraded": "damaged",
    },
    months=(
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ),
    day="{day} {month} {year}",
    all_feeds="All feeds, to import into a feed reader (OPML)",
    newest="Newest",
    filter="Filter the tags",
    about="One Atom feed per tag. Copy a feed's address into your feed reader.",
    from_="from",
)

_FRENCH = Words(
    code="fr",
    why="Ici parce que :",
    nearly="Ici de peu s’en faut :",
    also_at="Aussi sur :",
    ended="Le fil « {name} » s’arrête ici : son étiquette ou sa requête n’est plus",
    reasons={
        EvidenceKind.DECISION: "le lecteur l’a dit",
        EvidenceKind.CLIPPED: "gardé par le lecteur",
        EvidenceKind.CATEGORY: "catégorie « {detail} »",
        EvidenceKind.SUBSCRIPTION: "tout ce qui vient de « {detail} »",
        EvidenceKind.RULE: "une règle trouve « {detail} »",
        EvidenceKind.PHRASE: "« {detail} » dans le {where}",
        EvidenceKind.NARROWER: "relève de « {detail} »",
        EvidenceKind.SIMILAR: "proche de « {where} » par : {detail}",
        EvidenceKind.MEANING: "proche de « {where} » par le sens",
    },
    places={"title": "titre", "lead": "chapeau", "body": "texte"},
    clipped="Gardé par le lecteur",
    tags="Étiquettes",
    one_entry="1 entrée",
    entries="{number} entrées",
    no_entries="aucune entrée",
    subscribe="S’abonner",
    atom="fil Atom",
    others="Autres fils",
    own_titles={"all": "Tout", "unmatched": "Sans étiquette", "near-miss": "De peu s’en faut"},
    own_descriptions={
        "all": "Chaque entrée de chaque source, et chaque extrait gardé.",
        "unmatched": "Ce que les sources ont écrit et qui ne relève d’aucune étiquette.",
        "near-miss": "Ce qui ne relève d’aucune étiquette, mais de peu : à lire pour trouver ce "
        "qu’une étiquette manque.",
    },
    related="Étiquettes voisines",
    clippings="Les extraits derrière cette étiquette",
    archive="Archives",
    skip="Aller aux entrées",
    sources="Sources",
    all_sources="Toutes les sources, à importer dans un agrégateur (OPML)",
    news_feed="Nouvelles des sources (Atom)",
    health="Les sources et leur état",
    source="Source",
    state="État",
    stored="Entrées",
    problem="Ce qui ne va pas",
    history="Ce qui est arrivé",
    no_events="Rien encore.",
    since="depuis le",
    states={
        "new": "pas encore relevée",
        "ok": "va bien",
        "failing": "en panne",
        "gone": "disparue",
        "moved": "déménagée",
        "silent": "silencieuse",
        "degraded": "abîmée",
    },
    months=(
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ),
    day="{day} {month} {year}",
    all_feeds="Tous les fils, à importer dans un agrégateur (OPML)",
    newest="Nouveautés",
    filter="Filtrer les étiquettes",
    about="Un fil Atom par étiquette. Copiez l’adresse d’un fil dans votre agrégateur.",
    from_="de",
)


def words(language: str) -> Words:
    """French for ``fr`` and its variants, English for everything else."""
    return _FRENCH if language.lower().partition("-")[0] == "fr" else _ENGLISH
