"""Stories -> the bytes of output files, and those onto the disk."""

from aggregator.publish.atom import render_atom
from aggregator.publish.files import OutputFolder
from aggregator.publish.jsonfeed import render_jsonfeed
from aggregator.publish.opml import render_opml, render_subscriptions
from aggregator.publish.select import Editor

__all__ = [
    "Editor",
    "OutputFolder",
    "render_atom",
    "render_jsonfeed",
    "render_opml",
    "render_subscriptions",
]
