"""Which atom:ids of publishers are kept."""

import pytest

from aggregator.text.atom_ids import is_atom_id


@pytest.mark.parametrize(
    "value",
    [
        "tag:a.example,2026:1", "urn:uuid:0d1f", "https://a.example/?p=1#x", "yt:video:a_b-c",
        "https://exemple.example/l’économie", "https://共有.example/", "https://a.example/%C3%A9%20",
        "http://[2001:db8::1]/a", "x:y",
    ],
)  # fmt: skip
def test_iri(value):
    assert is_atom_id(value)


@pytest.mark.parametrize(
    "value",
    [
        "", "1", "/a", "a b", "urn:", "urn:a b", "https://a.example/<b>", "https://a.example/\x85",
        "https://a.example/?a[]=1", "https://a.example/100%", "https://a.example/%zz", "x:[2001::1]",
        "javascript:alert(1)", "data:text/html,x", "DATA:x",
    ],
)  # fmt: skip
def test_anything_else(value):
    assert not is_atom_id(value)
