"""Decoding files that the user wrote."""

from aggregator.errors import ConfigError, Diagnostic


def decode_utf8(data: bytes, file: str) -> str:
    """The text of ``file``. Raises ConfigError with the line of the first byte that is not UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        encoding = "UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "another encoding"
        message = f"not UTF-8 (byte 0x{data[error.start]:02x}; is it {encoding}?): save it as UTF-8"
        raise ConfigError((Diagnostic(file, line, message),)) from error
