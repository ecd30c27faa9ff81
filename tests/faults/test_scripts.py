"""Scripts in feeds that must not run in a reader's browser."""

import json
import re
from html import escape
from xml.etree import ElementTree

import pytest

from tests.faults.catalogue import fault
from tests.faults.test_documents import check_links, serve
from tests.system.test_browser import PageLog, browser  # noqa: F401 (a fixture)

VECTORS = [
    "<script>alert(1)</script>", "<SCRIPT SRC=//x.example/a.js></SCRIPT>", "<scr<script>ipt>alert(1)</script>",
    "<script/x>alert(1)</script>", "<script\x0c>alert(1)</script>", "<<script>alert(1)//<</script>",
    "</script><script>alert(1)</script>", "</title><script>alert(1)</script>", "--><script>alert(1)</script>",
    "]]><script>alert(1)</script>", "<![CDATA[<script>alert(1)</script>]]>", "<!--[if IE]><script>alert(1)</script><![endif]-->",
    "<!--><script>alert(1)</script>-->", "<!-- --!><script>alert(1)</script>", "<?php <script>alert(1)</script>",
    "<img src=x onerror=alert(1)>", "<img src=x onerror='alert(1)'", "<img/src=x/onerror=alert(1)>",
    "<img src=`x` onerror=alert(1)>", '<img alt="><img src=x onerror=alert(1)>">', "<img src=javascript:alert(1)>",
    "<img srcset='x.example 1x' onload=alert(1)>", "<image src=x onerror=alert(1)>", "<IMG \"\"\"><SCRIPT>alert(1)</SCRIPT>\">",
    "<svg onload=alert(1)>", "<svg><script>alert(1)</script></svg>", "<svg><a xlink:href='javascript:alert(1)'><text>x</text></a></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x>", "<svg><style><img src=x onerror=alert(1)></style>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>", "<math href=javascript:alert(1)>x</math>",
    "<math><annotation-xml encoding='text/html'><img src=x onerror=alert(1)>", "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<iframe src=javascript:alert(1)></iframe>", "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<iframe src='javascript://www.youtube.com/embed/%0aalert(1)'></iframe>", "<object data=javascript:alert(1)>",
    "<embed src=javascript:alert(1)>", "<body onload=alert(1)>", "<input autofocus onfocus=alert(1)>",
    "<select autofocus onfocus=alert(1)>", "<details open ontoggle=alert(1)>x</details>", "<marquee onstart=alert(1)>x</marquee>",
    "<video src=x onerror=alert(1)></video>", "<audio src=x onerror=alert(1)></audio>", "<video><source onerror=alert(1)></video>",
    "<a href=javascript:alert(1)>x</a>", "<a href='java\tscript:alert(1)'>x</a>", "<a href='&#106;avascript:alert(1)'>x</a>",
    "<a href='\x01javascript:alert(1)'>x</a>", "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<a href='vbscript:alert(1)'>x</a>", "<a href=x onmouseover=alert(1)>x</a>", "<a style='background:url(javascript:alert(1))'>x</a>",
    "<form action=javascript:alert(1)><button>x</button></form>", "<form><input type=password></form>", "<isindex action=javascript:alert(1)>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>", "<base href=javascript:alert(1)//>", "<link rel=stylesheet href=//x.example/a.css>",
    "<style>@import '//x.example/a.css';</style>", "<div style='position:fixed;inset:0'>x</div>", "<table background=javascript:alert(1)>",
    "<p onclick=alert(1) onpointerenter=alert(1)>x</p>", "<x onclick=alert(1)>x</x>", "<template><script>alert(1)</script></template>",
    "<textarea></textarea><script>alert(1)</script>", "<xmp><img src=x onerror=alert(1)></xmp>", "<plaintext><script>alert(1)</script>",
    "\" onmouseover=alert(1) x=\"", "'><script>alert(1)</script>", "javascript:alert(1)", "{{constructor.constructor('alert(1)')()}}",
    "&lt;script&gt;alert(1)&lt;/script&gt;", "&amp;lt;img src=x onerror=alert(1)&amp;gt;", "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
]  # fmt: skip


def escape_for_xml(text):
    return escape(text.translate({1: " ", 12: " "}))


def rss2(vectors):
    items = (
        f"<item><title>commons {v}</title><link>{v}</link><guid>{n}{v}</guid><author>{v}</author>"
        f"<dc:creator>{v}</dc:creator><category domain='{v}'>{v}</category><comments>{v}</comments>"
        f"<description>{v}</description><content:encoded>{v}</content:encoded>"
        f"<enclosure url='{v}' type='{v}' length='1'/><source url='{v}'>{v}</source></item>"
        for n, v in enumerate(map(escape_for_xml, vectors))
    )
    v = escape_for_xml(vectors[0])
    return (
        '<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>'
        f"<title>{v}</title><link>{v}</link><description>{v}</description><language>{v}</language>"
        f"<copyright>{v}</copyright><generator>{v}</generator><image><url>{v}</url></image>"
        f"{''.join(items)}</channel></rss>"
    )


def atom(vectors):
    entries = (
        f"<entry><title type='{kind}'>commons {v}</title><id>{n}{v}</id><link href='{v}'/>"
        f"<author><name>{v}</name><uri>{v}</uri><email>{v}</email></author><rights type='{kind}'>{v}</rights>"
        f"<category term='{v}' label='{v}' scheme='{v}'/><summary type='{kind}'>{v}</summary>"
        f"<content type='{kind}' xml:base='{v}'>{v}</content></entry>"
        for n, v in enumerate(map(escape_for_xml, vectors))
        for kind in ("html", "text")[n % 2 :]
    )
    v = escape_for_xml(vectors[0])
    return (
        f'<feed xmlns="http://www.w3.org/2005/Atom"><title type="html">{v}</title><id>{v}</id>'
        f"<subtitle type='html'>{v}</subtitle><generator>{v}</generator><logo>{v}</logo>"
        f"<rights>{v}</rights>{''.join(entries)}</feed>"
    )


def rdf(vectors):
    items = (
        f"<item rdf:about='{v}'><title>commons {v}</title><link>{v}</link><description>{v}</description>"
        f"<dc:creator>{v}</dc:creator><dc:subject>{v}</dc:subject><dc:rights>{v}</dc:rights></item>"
        for v in map(escape_for_xml, vectors)
    )
    v = escape_for_xml(vectors[0])
    return (
        '<rdf:RDF xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        f'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><channel><title>{v}</title>'
        f"<link>{v}</link></channel>{''.join(items)}</rdf:RDF>"
    )


def jsonfeed(vectors):
    items = [
        {
            "id": f"{n}{v}",
            "title": f"commons {v}",
            "url": v,
            "external_url": v,
            "content_html": v,
            "content_text": v,
            "summary": v,
            "image": v,
            "language": v,
            "tags": [v],
            "authors": [{"name": v, "url": v, "avatar": v}],
            "attachments": [{"url": v, "mime_type": v}],
        }
        for n, v in enumerate(vectors)
    ]
    v = vectors[0]
    head = {"version": "https://jsonfeed.org/version/1.1", "title": v, "home_page_url": v}
    return json.dumps({**head, "description": v, "icon": v, "items": items})


FORMATS = {"RSS 2.0": rss2, "Atom": atom, "RDF": rdf, "JSON Feed": jsonfeed}


def published_html(world):
    """All HTML texts of our Atom and JSON feeds."""
    for name, data in world.files().items():
        if name.endswith(".atom"):
            check_links(data)
            feed = ElementTree.fromstring(data)
            for element in feed.iter():
                if element.get("type") == "html":
                    yield element.text or ""
                assert element.get("type") != "xhtml"
        elif name.endswith(".json"):
            for entry in json.loads(data).get("items", []):
                yield entry.get("content_html") or ""
                assert re.match("https?://", entry.get("url", "http://")), entry


@pytest.mark.browser
@fault(
    "X09",
    "Scripts in every field",
    produced=f"{len(VECTORS)} vectors in each text and each URL of {', '.join(FORMATS)}; our pages and the HTML of our "
    "feeds are opened in Chromium",
    must="all entries are stored; no script runs, no dialog opens, only our own page and pictures are loaded; all links are web "
    "addresses; the feeds contain no active content",
    promises="P5 P6",
)
def test_scripts(world, browser):  # noqa: F811
    assert len(VECTORS) > 60
    documents = {name: make(VECTORS).encode() for name, make in FORMATS.items()}
    serve(world, documents, more="[publish]\nlive = 1000\nbackfill = 1000\nper_source = 1000\n")
    assert sum(map(len, world.titles("url").values())) > len(VECTORS) * len(FORMATS)
    context = browser.new_context()
    for path in sorted(world.outputs.rglob("*.html")):
        page = context.new_page()
        log = PageLog(page)
        page.goto(path.as_uri())
        assert (log.errors, log.requests) == ([], [path.as_uri()]), path
        schemes = "[...new Set([...document.querySelectorAll('a[href]')].map(a => a.protocol))]"
        assert set(page.evaluate(schemes)) <= {"http:", "https:", "file:", "mailto:"}, path
        page.close()
    texts = list(published_html(world))
    assert len(texts) > 4 * len(VECTORS)
    assert any(name.endswith(".json") for name in world.files())
    context.route("**/*", lambda route: route.abort())
    page = context.new_page()
    dialogs: list[str] = []
    kinds: set[str] = set()
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    page.on("request", lambda request: kinds.add(request.resource_type))
    page.set_content("<!DOCTYPE html>" + "".join(f"<div>{html}</div>" for html in texts))
    handlers = (
        "[...document.body.querySelectorAll('*')].filter(e => [...e.attributes]"
        ".some(a => a.name.startsWith('on') || /^\\s*(javascript|data|vbscript):/i.test(a.value))).length"
    )
    assert page.evaluate(handlers) == 0
    assert page.locator("script, svg, math, form, object, embed, style, base, meta").count() == 0
    assert (dialogs, kinds - {"image"}) == ([], set())
    context.close()
