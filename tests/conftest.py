"""Fixtures for all tests, and the markers that tests get from what they use.

`make check` runs the tests that have none of these markers; `make test` runs all.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.databases import ON_POSTGRESQL
from tests.harness import Installation
from tests.origin import Origin, origin

TESTS = Path(__file__).parent

# Paths, or beginnings of names, of tests that take more than about two seconds of CPU time, or start the
# program as a separate process.
SLOW = (
    "cli/",
    "cluster/",
    "config/test_parse.py::test_any_toml_gives",
    "faults/",
    "fuzz/",
    "inspect/test_suggestions.py::test_decision_stays",
    "match/test_embedding.py::test_a_run_and_explain",
    "match/test_embedding.py::test_evaluate_compares",
    "match/test_evaluate.py::test_real_posts",
    "match/test_matcher.py::test_fifty_thousand_tags",
    "match/test_tag_model.py::test_corrupt_model",
    "parse/test_pool.py",
    "parse/test_sanitize.py::test_every_character",
    "parse/test_sanitize.py::test_fast_paths",
    "publish/test_atom.py::test_rendered_entry_is_parsed_back",
    "publish/test_jsonfeed.py::test_rendered_entry_is_parsed_back",
    "run/test_poll.py::test_host_with_many_feeds",
    "run/test_poll.py::test_failing_feed_is_polled",
    "run/test_poll.py::test_gone_feed_is_polled",
    "run/test_poll.py::test_hosts_never_have",
    "run/test_poll.py::test_ttl_and_skip_hours",
    "serve/test_app.py::test_damaged_database",
    "serve/test_app.py::test_health_is_stale",
    "serve/test_app.py::test_invalid_and_too_large",
    "serve/test_app.py::test_missing_extra",
    "serve/test_app.py::test_silent_client",
    "store/test_migrations.py::test_upgrade_keeps_every_row",
    "store/test_retention.py",
    "store/test_stories.py",
    "system/",
    "text/test_folding.py::test_folding_is_idempotent",
)
# Exceptions from these: the documents of deploy/, and enough of the command line to notice when it breaks.
FAST = (
    "cli/test_commands.py::test_project_error_messages",
    "cli/test_commands.py::test_silent_when_all_is_well",
    "parse/test_pool.py::test_document_that_takes_too_long",
    "store/test_stories.py::test_changed_guids",
    "store/test_stories.py::test_story_of_two_blogs",
    "system/test_deploy.py",
    "system/test_tour.py",
)
# These start first: with several processes, a long test that starts last would delay the end.
LONGEST = (
    "system/test_year.py",
    "faults/test_network.py::test_many_sources",
    "fuzz/test_bounds.py",
    "system/test_corpus.py",
    "system/test_soak.py",
)
POSTGRES = ("cluster/", "faults/test_machines.py")
S3 = ("publish/test_s3.py",)
# Tests with these fixtures use the database that AGGREGATOR_TEST_DATABASE selects.
STATEFUL = {"installation", "served", "store"}
STATEFUL_CALLS = {"Installation", "databases", "new_state"}  # so do tests that call these
# Groups of tests that share an expensive fixture run in one xdist process: group by beginning of the name.
STORM = (
    "many_sources", "no_connection", "truncated_answers", "slow_answers", "large_answers",
    "malformed_answers", "answers_without", "broken_redirects", "invalid_certificates",
    "private_addresses",
)  # fmt: skip
GROUPS = {
    **dict.fromkeys(POSTGRES, "postgres"),
    **{f"faults/test_network.py::test_{name}": "storm" for name in STORM},
    "match/test_embedding.py": "embedder",
    "parse/test_in_browser.py": "browser",
    "publish/test_s3.py": "s3",
    "serve/test_app.py": "served",
    "system/test_browser.py": "browser",
}
# A test that starts hundreds of processes, or simulates months, may take this long.
LONG_TIMEOUT_SECONDS = 3600


@pytest.fixture
def publisher() -> Iterator[Origin]:
    """A publisher on loopback with scripted answers."""
    with origin() as publisher:
        yield publisher


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """An installation in an empty folder."""
    return Installation(tmp_path)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their path and fixtures, and put the longest first."""
    for item in items:
        name = _name(item)
        fixtures = set[str](getattr(item, "fixturenames", ()))
        code = getattr(getattr(item, "function", None), "__code__", None)
        called = set[str](code.co_names) if code else set[str]()
        if "shared" in called or (name.startswith(SLOW) and not name.startswith(FAST)):
            item.add_marker("slow")
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(LONG_TIMEOUT_SECONDS))
        if name.startswith(POSTGRES) or (
            ON_POSTGRESQL and (fixtures & STATEFUL or called & STATEFUL_CALLS)
        ):
            item.add_marker("postgres")
        if "browser" in fixtures:
            item.add_marker("browser")
        if name.startswith(S3):
            item.add_marker("s3")
    items.sort(key=_rank)


def _name(item: pytest.Item) -> str:
    """The path below tests/, and the name of the test: ``text/test_urls.py::test_folding``."""
    return f"{item.path.relative_to(TESTS).as_posix()}::{item.name}"


def _rank(item: pytest.Item) -> int:
    name = _name(item)
    for rank, prefix in enumerate((*LONGEST, *POSTGRES)):
        if name.startswith(prefix):
            return rank
    return len(LONGEST) + len(POSTGRES)


class Groups(LoadScopeScheduling):  # type: ignore[misc] # xdist ships no types
    """Gives each test to a process that is free, and those of a group to one process.

    ``--dist loadgroup`` does so by the marker xdist_group, but not with pytest 9.2:
    https://github.com/pytest-dev/pytest-xdist/issues/1386
    """

    def _split_scope(self, nodeid: str) -> str:
        name = nodeid.removeprefix("tests/")
        return next((group for start, group in GROUPS.items() if name.startswith(start)), nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Groups:
    """Replaces what ``--dist`` names."""
    return Groups(config, log)
