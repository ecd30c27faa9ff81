"""Parse the documents that publishers serve: feeds of every format, and HTML pages.

This file imports nothing: a run in which all feeds answer 304 starts no parser.
"""

READER_VERSION = 2  # increase it when the same document gives other entries than before
