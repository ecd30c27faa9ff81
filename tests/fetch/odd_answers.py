"""HTTP answers as real servers send them, against the grammar of RFC 9112.

`test_http_answer` reads them piece by piece; `test_other_clients` lets curl and requests read them.
"""

import gzip
import zlib

FEED = b"<rss><channel><title>T</title></channel></rss>"
N = len(FEED)
OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"Content-Length: %d\r\n" % N
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def with_headers(*headers: bytes, body: bytes = FEED, status: bytes = OK) -> bytes:
    return status + b"".join(h + b"\r\n" for h in headers) + LENGTH + b"\r\n" + body


def with_status(line: bytes) -> bytes:
    return with_headers(b"Content-Type: application/rss+xml", status=line + b"\r\n")


def chunks(*parts: bytes, extension: bytes = b"", last: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x%b\r\n%b\r\n" % (len(p), extension, p) for p in parts) + last


def encoded(coding: bytes, body: bytes = FEED) -> bytes:
    return OK + b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n%b" % (coding, len(body), body)


GZIP = gzip.compress(FEED, mtime=0)

# curl or requests reads FEED from each of these.
READABLE = {
    "a header of 8.4 kB": with_headers(b"Content-Security-Policy: " + b"x" * 8400),
    "a header of 60 kB": with_headers(b"Content-Security-Policy: " + b"x" * 60_000),
    "three headers of 60 kB": with_headers(*[b"X-%d: " % n + b"x" * 60_000 for n in range(3)]),
    "150 headers": with_headers(*[b"X-%d: y" % n for n in range(150)]),
    "900 headers": with_headers(*[b"X-%d: y" % n for n in range(900)]),
    "150 cookies": with_headers(*[b"Set-Cookie: a=%d" % n for n in range(150)]),
    "a name in quotation marks": with_headers(b'"X-Powered-By": me'),
    "a space in a name": with_headers(b"X Powered By: me"),
    "a space before the colon": with_headers(b"X-Powered-By : me"),
    "a space before the colon of Content-Length": OK + b"Content-Length : %d\r\n\r\n" % N + FEED,
    "brackets in a name": with_headers(b"X(a): b"),
    "UTF-8 in a name": with_headers("X-Été: b".encode()),
    "Latin-1 in a name": with_headers("X-Été: b".encode("latin-1")),
    "no name": with_headers(b": value"),
    "no colon": with_headers(b"garbage"),
    "no colon in the last line": OK + LENGTH + b"garbage\r\n\r\n" + FEED,
    "an invalid header before Transfer-Encoding": OK + b"X Y: z\r\n" + CHUNKED + b"\r\n" + chunks(FEED),
    "a space before the first header": OK + b" X-A: b\r\n" + LENGTH + b"\r\n" + FEED,
    "a folded header": with_headers(b"X-A: one", b"\ttwo", b"  three"),
    "a folded Content-Length": OK + b"Content-Length:\r\n %d\r\n\r\n" % N + FEED,
    "a folded header that is empty": with_headers(b"X-A: b", b" "),
    "LF only": with_headers(b"X-A: b").replace(b"\r\n", b"\n"),
    "LF only, chunked": (OK + CHUNKED + b"\r\n" + chunks(FEED)).replace(b"\r\n", b"\n"),
    "LF and CR LF": OK + b"X-A: b\n" + LENGTH + b"\r\n" + FEED,
    "CR CR LF": with_headers(b"X-A: b").replace(b"\r\n", b"\r\r\n"),
    "CR in a value": with_headers(b"X-A: a\rb"),
    "NUL in a value": with_headers(b"X-A: a\0b"),
    "control characters in a value": with_headers(b"X-A: a\x01\x7fb"),
    "UTF-8 in a value": with_headers("X-A: é".encode()),
    "Latin-1 in a value": with_headers("X-A: é".encode("latin-1")),
    "invalid cookies": with_headers(b"Set-Cookie: ", b"Set-Cookie: =;;;", b"Set-Cookie: \xff=\x01"),
    "an upgrade": with_headers(b"Upgrade: h2,h2c", b"Connection: Upgrade"),
    "two equal lengths": OK + LENGTH + LENGTH + b"\r\n" + FEED,
    "a length twice in a header": OK + b"Content-Length: %d, %d\r\n\r\n" % (N, N) + FEED,
    "a length with a comma": OK + b"Content-Length: %d,\r\n\r\n" % N + FEED,
    "a length with a sign": OK + b"Content-Length: +%d\r\n\r\n" % N + FEED,
    "a length with a point": OK + b"Content-Length: %d.0\r\n\r\n" % N + FEED,
    "a length in quotation marks": OK + b'Content-Length: "%d"\r\n\r\n' % N + FEED,
    "a length of -1": OK + b"Content-Length: -1\r\n\r\n" + FEED,
    "a length of -1, unsigned": OK + b"Content-Length: %d\r\n\r\n" % (2**64 - 1) + FEED,
    "an empty length": OK + b"Content-Length: \r\n\r\n" + FEED,
    "a length in words": OK + b"Content-Length: unknown\r\n\r\n" + FEED,
    "no length": OK + b"\r\n" + FEED,
    "no length, but keep-alive": OK + b"Connection: keep-alive\r\n\r\n" + FEED,
    "a longer body": with_headers(body=FEED + b"\n<!-- statistics -->"),
    "a much longer body": with_headers(body=FEED + b"x" * 100_000),
    "chunks": OK + CHUNKED + b"\r\n" + chunks(FEED[:9], FEED[9:]),
    "chunks and the length of the body": OK + LENGTH + CHUNKED + b"\r\n" + chunks(FEED),
    "chunks and their length": OK + CHUNKED + b"Content-Length: %d\r\n\r\n" % len(chunks(FEED)) + chunks(FEED),
    "chunked twice": OK + CHUNKED + CHUNKED + b"\r\n" + chunks(FEED),
    "chunked, chunked": OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n" + chunks(FEED),
    "Chunked": OK + b"transfer-encoding: Chunked\r\n\r\n" + chunks(FEED),
    "chunks in HTTP/1.0": b"HTTP/1.0 200 OK\r\n" + CHUNKED + b"\r\n" + chunks(FEED),
    "chunks with extensions": OK + CHUNKED + b"\r\n" + chunks(FEED, extension=b";a=b"),
    "chunks with a space before extensions": OK + CHUNKED + b"\r\n" + chunks(FEED, extension=b" ; a"),
    "chunks with spaces after the size": OK + CHUNKED + b"\r\n" + chunks(FEED, extension=b"   "),
    "chunks with a space before the size": OK + CHUNKED + b"\r\n " + chunks(FEED),
    "chunks with zeros and capitals": OK + CHUNKED + b"\r\n000%X\r\n%b\r\n000\r\n\r\n" % (N, FEED),
    "chunks with trailers": OK + CHUNKED + b"\r\n" + chunks(FEED, last=b"0\r\nX-T: y\r\nbad\r\n\r\n"),
    "chunks without an empty line at the end": OK + CHUNKED + b"\r\n" + chunks(FEED, last=b"0\r\n"),
    "bytes after the last chunk": OK + CHUNKED + b"\r\n" + chunks(FEED) + b"junk",
    "Transfer-Encoding: identity": with_headers(b"Transfer-Encoding: identity"),
    "Transfer-Encoding: identity, without a length": OK + b"Transfer-Encoding: identity\r\n\r\n" + FEED,
    "Transfer-Encoding: identity, chunked": OK + b"Transfer-Encoding: identity, chunked\r\n\r\n" + chunks(FEED),
    "Transfer-Encoding: binary": with_headers(b"Transfer-Encoding: binary"),
    "an empty Transfer-Encoding": with_headers(b"Transfer-Encoding:"),
    "Transfer-Encoding: gzip, chunked": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + chunks(GZIP),
    "no reason": with_status(b"HTTP/1.1 200"),
    "an empty reason": with_status(b"HTTP/1.1 200 "),
    "a reason in UTF-8": with_status("HTTP/1.1 200 Très bien".encode()),
    "a reason in Latin-1": with_status("HTTP/1.1 200 Très bien".encode("latin-1")),
    "a reason with control characters": with_status(b"HTTP/1.1 200 <b>\x01"),
    "a reason of 16 kB": with_status(b"HTTP/1.1 200 " + b"ok" * 8000),
    "HTTP/1.0": with_status(b"HTTP/1.0 200 OK"),
    "HTTP/1.2": with_status(b"HTTP/1.2 200 OK"),
    "HTTP/2": with_status(b"HTTP/2 200"),
    "http/1.1": with_status(b"http/1.1 200 OK"),
    "two spaces": with_status(b"HTTP/1.1  200  OK"),
    "a tab": with_status(b"HTTP/1.1\t200\tOK"),
    "no space": with_status(b"HTTP/1.1 200OK"),
    "a status with a zero": with_status(b"HTTP/1.1 0200 OK"),
    "a space before the status": b" " + with_status(b"HTTP/1.1 200 OK"),
    "100": b"HTTP/1.1 100 Continue\r\n\r\n" + with_headers(),
    "103 and 102": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + with_headers(),
    "203": with_status(b"HTTP/1.1 203 Non-Authoritative Information"),
    "201": with_status(b"HTTP/1.1 201 Created"),
    "202": with_status(b"HTTP/1.1 202 Accepted"),
    "218": with_status(b"HTTP/1.1 218 This is fine"),
    "an encoding aws-chunked": encoded(b"aws-chunked"),
    "an encoding UTF-8": encoded(b"UTF-8"),
    "an encoding none": encoded(b"none"),
    "an encoding binary": encoded(b"binary"),
    "an encoding identity": encoded(b"identity"),
    "an empty encoding": encoded(b""),
    "an encoding text/xml": encoded(b"text/xml"),
    "an encoding x-gzip": encoded(b"x-gzip", GZIP),
    "an encoding gzip that is zlib": encoded(b"gzip", zlib.compress(FEED)),
    "an encoding gzip with padding": encoded(b"gzip", GZIP + b"\0\0"),
}  # fmt: skip

# Neither reads these right, but the meaning is clear.
CLEAR = {
    # RFC 9112 section 5.1: remove the space. curl and requests give the chunks.
    "a space before the colon of Transfer-Encoding": (
        OK + b"Transfer-Encoding : chunked\r\n\r\n" + chunks(FEED)
    ),
    # requests ignores all after the line, curl fails.
    "no colon before Transfer-Encoding": OK + b"garbage\r\n" + CHUNKED + b"\r\n" + chunks(FEED),
    "Transfer-Encoding in quotation marks": OK + b'Transfer-Encoding: "chunked"\r\n\r\n' + chunks(FEED),
    "an empty line first": b"\r\n" + with_headers(),
    "HTTP/3": with_status(b"HTTP/3 200"),
    # They give the file instead of the document in it.
    "an encoding in quotation marks": encoded(b'"gzip"', GZIP),
    "an encoding with a weight": encoded(b"gzip;q=1", GZIP),
    "encodings gzip and aws-chunked": encoded(b"gzip,aws-chunked", GZIP),
    "encodings UTF-8 and gzip": encoded(b"UTF-8, gzip", GZIP),
    "a gzip file with an encoding UTF-8": encoded(b"UTF-8", GZIP),
    "a 206 of the whole document": with_headers(
        b"Content-Range: bytes 0-%d/%d" % (N - 1, N), status=b"HTTP/1.1 206 Partial Content\r\n"
    ),
}  # fmt: skip

# name: (the answer, a part of our message). Neither curl nor requests reads FEED from these, except
# where the specification requires an error.
UNREADABLE = {
    "two lengths": (
        OK + b"Content-Length: 9\r\nContent-Length: 5\r\n\r\n" + FEED,
        "two different Content-Length headers, 5 and 9",
    ),
    "a shorter body": (with_headers(body=FEED[:-1]), "cut short"),
    "the length of the decoded body": (
        OK + b"Content-Encoding: gzip\r\nContent-Length: 999\r\n\r\n" + GZIP,
        "cut short",
    ),
    "no last chunk": (OK + CHUNKED + b"\r\n" + chunks(FEED, last=b""), "cut short"),
    "half a chunk": (OK + CHUNKED + b"\r\n" + chunks(FEED, last=b"")[:-9], "cut short"),
    "a chunk without CR LF": (OK + CHUNKED + b"\r\n%x\r\n%b0\r\n\r\n" % (N, FEED), "chunks are broken"),
    "a chunk with a letter": (OK + CHUNKED + b"\r\nzz\r\n" + FEED, "chunks are broken"),
    "a negative chunk": (OK + CHUNKED + b"\r\n-9\r\n" + FEED, "chunks are broken"),
    "a chunk of a terabyte": (OK + CHUNKED + b"\r\n" + b"f" * 10 + b"\r\n" + FEED, "larger than 10 MiB"),
    "chunked, but plain": (OK + CHUNKED + b"\r\n" + FEED, "chunks are broken"),
    "headers without an end": (OK + LENGTH, "cut short"),
    "half a header": (OK + b"Content-Le", "cut short"),
    "half a status": (b"HTTP/1.1 200", "cut short"),
    "CR only": (with_headers(b"X-A: b").replace(b"\r\n", b"\r"), "cut short"),
    "an interim answer only": (b"HTTP/1.1 100 Continue\r\n\r\n", "closed without an answer"),
    "nothing": (b"", "closed without an answer"),
    "empty lines": (b"\r\n\r\n", "closed without an answer"),
    "ICY": (with_status(b"ICY 200 OK"), "not an HTTP answer: it begins with 'ICY 200 OK'"),
    "SSH": (b"SSH-2.0-OpenSSH_9.6\r\n", "it begins with 'SSH-2.0-OpenSSH_9.6'"),
    "FTP": (b"220 files.example FTP server\r\n", "it begins with '220 files.example FTP server'"),
    "HTTP/0.9": (b"<html>\n<body>hello", "it begins with '<html>'"),
    "a CGI script's headers": (b"Status: 200 OK\r\n\r\n" + FEED, "it begins with 'Status: 200 OK'"),
    "a status in words": (with_status(b"HTTP/1.1 OK"), "it begins with 'HTTP/1.1 OK'"),
    "a status of four digits": (with_status(b"HTTP/1.1 2000 OK"), "begins with 'HTTP/1.1 2000 OK'"),
    "terminal codes": (b"\x1b[31mred\x07\r\n", r"it begins with '\x1b[31mred\x07'"),
    "TLS": (bytes.fromhex("15030100020246"), "does the address begin with https://?"),
    "101": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n", "HTTP 101"),
    "204 with a body": (with_status(b"HTTP/1.1 204 No Content"), "empty answer"),
    "a length of 0": (OK + b"Content-Length: 0\r\n\r\n" + FEED, "empty answer"),
    "declared as gzip, but plain": (encoded(b"gzip"), "compression (gzip) is broken: it is not compressed"),
    "gzip once, declared twice": (encoded(b"gzip, gzip", GZIP), "compression (gzip) is broken: it is not"),
    "an unknown encoding": (encoded(b"snappy", b"\xff\6\0\0sNaPpY"), 'unsupported encoding "snappy"'),
}  # fmt: skip
