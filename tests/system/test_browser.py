"""Pages in Chromium: no errors, no requests except for pictures, no script except ours, and accessible."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Route, sync_playwright

from aggregator.demo.demo_servers import outputs_server, running
from tests.harness import item, rss

pytestmark = pytest.mark.browser

CLIPPINGS = """• Kept «\u00a0ici\u00a0»
    https://kept.example/p

    A passage.

    #Communs #Pair_à_pair #Économie_sociale
"""
PICTURE = "https://feed.example/two%20trees.jpg"
MEDIA = (
    '<media:content xmlns:media="http://search.yahoo.com/mrss/" url="https://feed.example/two trees.jpg"'
    ' type="image/jpeg"><media:description>Two trees</media:description></media:content>'
    '<enclosure url="https://feed.example/a.mp3" type="audio/mpeg" length="12000000"/>'
)
ATTACK = "&lt;img src=x onerror=alert(1)&gt;&lt;script&gt;alert(2)&lt;/script&gt; communs"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        if os.environ.get("CI"):
            pytest.fail("CI has Chromium: .ci/run installs it")
        pytest.skip("needs Chromium")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking",
                 "--disable-component-update", "--disable-sync", "--no-first-run"]  # fmt: skip
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def site(installation, publisher):
    publisher["/feed"] = rss(
        item("Les communs de Gand", more=MEDIA),
        item("attack", "https://feed.example/x").replace("attack", ATTACK),
        title="A &lt;b&gt;bold&lt;/b&gt; feed",
    )
    installation.configure([publisher.url("/feed")], 'title = "A source"\n', CLIPPINGS)
    in_thread(installation.run)
    return installation


def in_thread(run: Callable[[], object]) -> None:
    """Playwright's event loop runs in this thread."""
    with ThreadPoolExecutor(1) as executor:
        executor.submit(run).result()


class PageLog:
    """The errors and requests of a page. Publishers answer with an empty picture."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.pictures: list[Request] = []
        page.route(re.compile(r"https?://(?!127\.0\.0\.1[:/])"), self._answer)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", lambda dialog: self.errors.append(f"dialog {dialog.message}"))
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        self.errors.append(message.text)

    def _request(self, request: Request) -> None:
        if request.resource_type == "image" and request.url.startswith("http"):
            self.pictures.append(request)
        elif not request.url.startswith("data:"):
            self.requests.append(request.url)

    def _answer(self, route: Route) -> None:
        route.fulfill(
            body='<svg xmlns="http://www.w3.org/2000/svg"/>', content_type="image/svg+xml"
        )


@pytest.mark.parametrize("scheme", ["file", "http"])
def test_index_loads_only_itself(browser, site, scheme):
    with running(outputs_server(site.outputs, 0)) as server:
        address = (
            (site.outputs / "index.html").as_uri()
            if scheme == "file"
            else f"http://127.0.0.1:{server.server_port}/index.html"
        )
        page = browser.new_page()
        log = PageLog(page)
        page.goto(address)
        page.wait_for_load_state("networkidle")
        assert log.errors == []
        assert log.requests == [address]
        assert page.locator(".tags li").count() == 6
        assert page.locator(".entries h3", has_text="<b>").count() == 0
        page.close()


def test_filter_ignores_case_accents_and_separators(browser, site):
    page = browser.new_page()
    log = PageLog(page)
    page.goto((site.outputs / "index.html").as_uri())
    page.get_by_role("searchbox").fill("#economie sociale")
    visible = page.locator(".tags li:visible a").all_inner_texts()
    assert visible == ["#Économie_sociale"]
    page.get_by_role("searchbox").fill("")
    assert page.locator(".tags li:visible").count() == 6
    assert log.errors == []
    page.close()


def test_page_without_script_has_no_filter(browser, site):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site.outputs / "index.html").as_uri())
    assert page.locator(".tags li:visible").count() == 6
    assert page.get_by_role("searchbox").count() == 0
    context.close()


PAGES = [
    "index.html",
    "communs.html",
    "all.html",
    "near-miss.html",
    "_status.html",
    "_source/a-source.html",
]


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_pages_are_accessible_and_fit_the_window(browser, site, theme, width, language):
    if language == "fr":
        text = (site.root / "feeds.toml").read_text().replace("[site]", '[site]\nlanguage = "fr"')
        site.write("feeds.toml", text)
        in_thread(site.run)
    context = browser.new_context(
        color_scheme=theme,
        viewport={"width": width, "height": 800},
        bypass_csp=True,  # for axe
    )
    for name in PAGES:
        page = context.new_page()
        log = PageLog(page)
        address = (site.outputs / name).as_uri()
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert page.evaluate("document.documentElement.lang") == language
        result = Axe().run(page)
        assert result.violations_count == 0, (name, result.generate_report())
        assert (log.errors, log.requests) == ([], [address])
        page.close()
    context.close()


def test_pages_are_linked_by_keyboard(browser, site):
    page = browser.new_page()
    log = PageLog(page)
    page.goto((site.outputs / "index.html").as_uri())
    page.get_by_role("link", name="#Communs").first.press("Enter")
    page.wait_for_url("**/communs.html")
    assert page.get_by_role("heading", level=1).inner_text() == "#Communs"
    assert page.locator(".reasons li").first.inner_text().startswith("#Communs")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.get_by_role("link", name="Sources").press("Enter")
    page.wait_for_url("**/_status.html")
    page.get_by_role("link", name="A source").press("Enter")
    page.wait_for_url("**/_source/a-source.html")
    assert page.get_by_role("heading", level=4).count() == 2
    assert log.errors == []
    page.close()


@pytest.mark.parametrize("name", PAGES)
def test_scripts_of_publishers_never_run(browser, site, name):
    page = browser.new_page()
    log = PageLog(page)
    address = (site.outputs / name).as_uri()
    page.goto(address)
    page.wait_for_load_state("networkidle")
    assert (log.errors, log.requests) == ([], [address])
    assert page.locator("iframe, object, audio, video, [onerror]").count() == 0
    page.close()


@pytest.mark.parametrize(
    "name", ["index.html", "communs.html", "all.html", "_source/a-source.html"]
)
def test_pictures_are_loaded_without_telling_where(browser, site, name):
    page = browser.new_page()
    log = PageLog(page)
    page.goto((site.outputs / name).as_uri())
    page.get_by_alt_text("Two trees").scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    assert PICTURE in {request.url for request in log.pictures}
    assert not any(request.headers.get("referer") for request in log.pictures)
    assert page.get_by_alt_text("Two trees").get_attribute("loading") == "lazy"
    link = page.get_by_role("link", name="Listen (12 MB)")
    assert link.get_attribute("href") == "https://feed.example/a.mp3"
    assert log.errors == []
    page.close()


@pytest.mark.parametrize("name", PAGES)
def test_pages_without_thumbnails_load_nothing(browser, site, name):
    text = (site.root / "feeds.toml").read_text()
    site.write("feeds.toml", f"{text}[publish]\nthumbnails = false\n")
    in_thread(site.run)
    page = browser.new_page()
    log = PageLog(page)
    page.goto((site.outputs / name).as_uri())
    page.wait_for_load_state("networkidle")
    assert (log.pictures, log.errors) == ([], [])
    page.evaluate(f"document.body.append(Object.assign(new Image(), {{src: '{PICTURE}'}}))")
    page.wait_for_load_state("networkidle")
    assert [request.failure for request in log.pictures] == ["csp"]
    assert len(log.errors) == 1
    page.close()


def test_index_announces_feeds_to_feed_readers(browser, site):
    page = browser.new_page()
    page.goto((site.outputs / "index.html").as_uri())
    links = page.locator('link[rel="alternate"][type="application/atom+xml"]')
    names = [links.nth(n).get_attribute("href") for n in range(links.count())]
    assert len(names) == 6
    for name in names:
        assert name is not None
        assert (site.outputs / name).is_file()
    page.close()
