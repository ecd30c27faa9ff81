"""The persons of a feed and of its entries, as feedparser reads them."""

import xml.etree.ElementTree as ET

from aggregator.parse.constructs import refuse_base, text_of
from aggregator.parse.feedparser_reader import Authorship, repaired
from aggregator.parse.names import Names, Unclear, means_nothing

_PARTS = {
    "name": "name",
    "itunes_name": "name",
    "email": "email",
    "itunes_email": "email",
    "uri": "href",
    "url": "href",
    "homepage": "href",
}


class People(Authorship):
    """Persons of ``here``. iTunes' owner is no author, but feedparser renames the last one so."""

    names: Names
    base: str

    def _author(self, element: ET.Element, name: str, depth: int) -> None:
        self.here.setdefault("authors", []).append({})
        texts = self._person(element, "author")
        self.here["author"] = repaired(texts)
        self._sync_author_detail()

    def _owner(self, element: ET.Element, name: str, depth: int) -> None:
        self._person(element, "publisher")

    def _contributor(self, element: ET.Element, name: str, depth: int) -> None:
        self._person(element, "")

    def _person(self, element: ET.Element, role: str) -> str:
        """The text around the elements of a person construct (RFC 4287 section 3.2)."""
        refuse_base(element)
        texts = element.text or ""
        for child in element:
            refuse_base(child)
            name = self.names[child.tag]
            key, text = _PARTS.get(name), text_of(child)
            value = repaired(text, self.base) if key == "href" else text.strip()
            if key and role and (key != "href" or role == "author"):
                self._save_author(key, value, role)
            elif not key and (text or not means_nothing(name)):
                raise Unclear
            texts += child.tail or ""
        return texts
