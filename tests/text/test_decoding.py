import pytest

from aggregator.text.decoding import decode_document


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("é".encode(), "é"),
        ("é".encode("utf-8-sig"), "é"),
        ("<é".encode("utf-16"), "<é"),
        ("<é".encode("utf-16-be"), "<é"),
        ("<é".encode("utf-32"), "<é"),
        (b"\x80 \xe9", "€ é"),
        (b"\xc3\xa9 \xe9", "é é"),
        (
            b'<?xml version="1.0" encoding="ISO-8859-1"?>\x80',
            '<?xml version="1.0" encoding="ISO-8859-1"?>€',
        ),
        (b"<META charset=koi8-r>\xc1", "<META charset=koi8-r>а"),
        (b'<meta charset="utf-7">+AOk-', '<meta charset="utf-7">+AOk-'),
        (b"<meta charset=unicode_escape>\\u00e9", "<meta charset=unicode_escape>\\u00e9"),
        (b"<meta charset=hex>6162", "<meta charset=hex>6162"),
        (b"<meta charset=nonsense>\xc3\xa9", "<meta charset=nonsense>é"),
        (b"<meta charset=utf-16>\xc3\xa9", "<meta charset=utf-16>é"),
        (b"<meta charset=shift_jis>\x87\x40", "<meta charset=shift_jis>①"),
        (b"", ""),
        (b"\x00", "\x00"),
    ],
)
def test_encodings(data, text):
    assert decode_document(data) == text


def test_only_markup_declares_its_encoding():
    data = b'{"html": "<meta charset=shift_jis>\xc3\xa9"}'
    assert decode_document(data, is_markup=False) == data.decode()
