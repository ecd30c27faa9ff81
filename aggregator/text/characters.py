"""Character classes of the formats that the program writes."""

import re

# XML 1.0 section 2.2, and the control characters that it discourages
XML_ILLEGAL = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")  # of an HTTP request (RFC 9110 section 5.5)
