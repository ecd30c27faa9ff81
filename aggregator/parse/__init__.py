"""Parse the documents that publishers serve: feeds of every format, and HTML pages."""

from aggregator.parse.document import parse_document
from aggregator.parse.html_links import Link, Page, read_page

__all__ = ["Link", "Page", "parse_document", "read_page"]
