from aggregator.text.markup import read_markup, replace_references


def test_tags_text_and_lines():
    document = (
        "before <A\nHREF='x' b=1 c>one <3 two</A>\n<!-- <a> -->three<br/>\n<?xml v?><!DOCTYPE html>"
    )
    assert [(m.name, m.attributes, m.text, m.line, m.is_empty) for m in read_markup(document)] == [
        ("a", {"href": "x", "b": "1", "c": ""}, "one <3 two", 1, False),
        ("/a", {}, "\n", 2, False),
        ("!--", {}, "three", 3, False),
        ("br", {}, "\n", 3, True),
        ("?xml", {"v?": ""}, "", 4, False),
        ("!doctype", {"html": ""}, "", 4, False),
    ]


def test_what_does_not_end_is_the_rest():
    for document in ("<!-- <a>", "<![CDATA[ <a>", '<b x="<a>', "<b <a"):
        assert [markup.name for markup in read_markup(document)][1:] in ([], ["a"])


def test_cdata_contains_no_tags():
    assert [m.name for m in read_markup("<a><![CDATA[<b>]]><c>")] == ["a", "![cdata[", "c"]


def test_references():
    assert (
        replace_references("&amp; &copy= &copy; &#233; &#xE9; &nothing; &")
        == "& &copy= © é é &nothing; &"
    )
