"""Telling apart the formats in which people keep clippings. Pure."""

_BOOKMARKS = b"<!doctype netscape-bookmark-file-1"


def is_bookmarks(data: bytes) -> bool:
    """Whether ``data`` is a bookmark file, by its document type."""
    return data.lstrip(b"\xef\xbb\xbf \t\r\n")[:40].lower().startswith(_BOOKMARKS)
