from dataclasses import replace
from datetime import UTC, datetime, timedelta

from aggregator.fetch import transitions
from aggregator.model import (
    Caching,
    Entry,
    Feed,
    FeedEventKind,
    FeedState,
    Fetched,
    FetchFailed,
    Move,
    NotModified,
    ParsedFeed,
    PollHints,
    Validators,
)
from tests.harness import subscription

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
URL, NEW = "https://a.example/feed", "https://b.example/feed"
FEED = subscription(URL)
START = FeedState(URL)
KNOWN = FeedState(URL, succeeded_at=NOW - HOUR)
PARSED = ParsedFeed(
    URL, Feed(URL, "A"), (Entry("k", "urn:k", "T", published=NOW - DAY),), (), PollHints(ttl=HOUR)
)


def fetch(state, now=NOW, parsed=PARSED, same_feed=True, **values):
    outcome = Fetched(URL, URL, b"x", **values)
    return transitions.on_fetched(FEED, state, outcome, parsed, "hash", now, same_feed=same_feed)


def fail(state, now=NOW, **values):
    return transitions.on_failed(FEED, state, FetchFailed(URL, "HTTP 500", **values), now)


def test_fetched_document_updates_the_state():
    state, events = fetch(
        START, validators=Validators('"1"', None, URL), caching=Caching(HOUR, HOUR)
    )
    assert events == ()
    assert state.validators == Validators('"1"', None, URL)
    assert (state.body_hash, state.lifetime, state.hints) == ("hash", HOUR, PARSED.hints)
    assert state.newest_at == NOW - DAY
    assert state.next_poll_at and state.next_poll_at > NOW


def test_304_updates_only_the_fields_it_has():
    """RFC 9111 section 4.3.4."""
    state, _ = fetch(
        START, validators=Validators('"1"', "Tue", URL), caching=Caching(3 * HOUR, HOUR)
    )
    state, _ = transitions.on_not_modified(
        FEED, state, NotModified(URL, Validators('"2"', None, URL)), NOW
    )
    assert state.validators == Validators('"2"', "Tue", URL)
    assert state.lifetime == 3 * HOUR
    assert state.next_poll_at and state.next_poll_at >= NOW + 3 * HOUR


def test_validators_of_another_url_are_dropped():
    state, _ = fetch(START, validators=Validators('"1"', "Tue", URL))
    state, _ = transitions.on_not_modified(
        FEED, state, NotModified(URL, Validators('"2"', None, NEW)), NOW
    )
    assert state.validators == Validators('"2"', None, NEW)


def test_partial_document_keeps_the_rhythm():
    """RFC 3229: it has only the new entries."""
    start = replace(START, gap=9 * HOUR)
    state, _ = fetch(start, partial=True)
    assert state.gap == 9 * HOUR
    assert state.body_hash is None


def test_three_days_of_failures_and_recovery_are_one_event_each():
    state, all_events = KNOWN, []
    for hours in range(0, 24 * 10, 12):
        state, events = fail(state, NOW + hours * HOUR)
        all_events += events
    (broken,) = all_events
    assert broken.kind is FeedEventKind.BROKEN
    assert broken.at == NOW + 3 * DAY
    assert "since 2026-11-24: HTTP 500" in broken.message
    state, (recovered,) = fetch(state, NOW + 11 * DAY)
    assert recovered.kind is FeedEventKind.RECOVERED
    assert (state.failures, state.last_error, state.operator_notified) == (0, None, False)
    assert fetch(state, NOW + 12 * DAY)[1] == ()


def test_short_failure_is_no_event():
    state, events = fail(KNOWN)
    assert events == ()
    assert fetch(state, NOW + DAY)[1] == ()


def test_new_subscription_that_fails_is_an_event_at_once():
    """Its URL is new in feeds.toml, and may be wrong."""
    state, (event,) = fail(START)
    assert (event.kind, event.message) == (FeedEventKind.BROKEN, "HTTP 500")
    assert fail(state, NOW + 5 * DAY)[1] == ()
    assert fetch(state)[1][0].kind is FeedEventKind.RECOVERED
    state, (event,) = transitions.on_gone(FEED, START, NOW)
    assert "HTTP 410" in event.message
    assert transitions.on_gone(FEED, state, NOW + DAY)[1][0].kind is FeedEventKind.GONE


def test_retry_after_holds_the_feed_or_its_host():
    wait = Caching(retry_after=HOUR)
    assert fail(START, caching=wait)[0].not_before == NOW + HOUR
    assert fail(START, caching=wait, host="a.example")[0].not_before is None


def test_gone_is_confirmed_after_a_day():
    state, events = transitions.on_gone(FEED, KNOWN, NOW)
    assert (state.gone_confirmed, events) == (False, ())
    assert state.next_poll_at == NOW + DAY
    state, events = transitions.on_gone(FEED, state, NOW + HOUR)  # asked by hand
    assert (state.gone_confirmed, events) == (False, ())
    state, (gone,) = transitions.on_gone(FEED, state, NOW + DAY)
    assert state.gone_confirmed
    assert gone.kind is FeedEventKind.GONE
    assert state.next_poll_at == NOW + 31 * DAY
    state, events = transitions.on_gone(FEED, state, NOW + 31 * DAY)
    assert events == ()
    state, (recovered,) = fetch(state, NOW + 61 * DAY)
    assert recovered.kind is FeedEventKind.RECOVERED
    assert not state.gone_confirmed


def test_network_failure_does_not_reset_gone():
    state, _ = transitions.on_gone(FEED, START, NOW)
    state, _ = fail(state, NOW + HOUR, unreached=True)
    state, _ = transitions.on_gone(FEED, state, NOW + DAY)
    assert state.gone_confirmed
    assert not fail(state, NOW + 2 * DAY, status=500)[0].gone_confirmed


def moved(times, every, **values):
    state, all_events = START, []
    for n in range(times):
        state, events = fetch(state, NOW + n * every, **({"moved_to": NEW} | values))
        all_events += events
    return state, all_events


def test_move_is_adopted_after_five_answers_over_two_days():
    assert not moved(9, HOUR)[0].move.adopted  # not two days
    assert not moved(4, DAY)[0].move.adopted  # not five answers
    state, (event,) = moved(5, DAY)
    assert state.move == Move(NEW, NOW, 5, adopted=True)
    assert event.kind is FeedEventKind.MOVED
    assert NEW in event.message


def test_304_at_the_new_url_counts_for_a_move():
    state, _ = fetch(START, moved_to=NEW)
    for n in range(1, 5):
        answer = NotModified(URL, moved_to=NEW)
        state, _ = transitions.on_not_modified(FEED, state, answer, NOW + n * DAY)
    assert state.move and state.move.adopted


def test_untrusted_moves_are_not_counted():
    assert moved(9, DAY, same_feed=False)[0].move is None  # another feed is there
    assert moved(9, DAY, moved_to=f"{NEW}?token=secret")[0].move is None
    state, _ = moved(4, DAY)
    assert fetch(state, NOW + 5 * DAY)[0].move is None  # not in a row
    state, _ = fetch(state, NOW + 5 * DAY, moved_to="https://c.example/feed")
    assert state.move == Move("https://c.example/feed", NOW + 5 * DAY, 1)


def test_failing_adopted_url_is_given_up():
    state, _ = moved(5, DAY)
    for n in range(3):
        assert state.move
        state, _ = fail(state, NOW + (6 + n) * DAY)
    assert state.move is None


def test_year_of_silence_is_one_event():
    old = replace(PARSED, entries=(Entry("k", "urn:k", "T", published=NOW - 366 * DAY),))
    state, (event,) = fetch(START, parsed=old)
    assert event.kind is FeedEventKind.SILENT
    assert state.next_poll_at and state.next_poll_at >= NOW + 7 * DAY
    assert fetch(state, NOW + 7 * DAY, parsed=old)[1] == ()
    state, _ = fetch(state, NOW + 8 * DAY)
    assert not state.is_silent


def test_undated_entries_are_as_new_as_their_document():
    undated = replace(PARSED, entries=(Entry("k", "urn:k", "T"),))
    assert fetch(START, parsed=undated)[0].newest_at == NOW
    assert fetch(replace(START, newest_at=NOW - DAY), parsed=undated)[0].newest_at == NOW
    empty = replace(PARSED, entries=())
    assert fetch(replace(START, newest_at=NOW - DAY), parsed=empty)[0].newest_at == NOW - DAY


def not_modified(state, now=NOW, moved_to=None, **values):
    answer = NotModified(URL, moved_to=moved_to, **values)
    return transitions.on_not_modified(FEED, state, answer, now)


def test_document_gives_rhythm_and_warnings():
    dates = [NOW - 9 * HOUR, NOW - 3 * HOUR, NOW - HOUR]  # gaps of 6 and 2 hours
    entries = tuple(Entry(f"{at}", f"urn:{at}", "T", published=at) for at in dates)
    parsed = replace(PARSED, entries=entries, warnings=("damaged",))
    state, _ = fetch(START, parsed=parsed, warnings=("no Content-Type",))
    assert (state.gap, state.newest_at) == (4 * HOUR, NOW - HOUR)
    assert state.warning == "no Content-Type; damaged"
    state, _ = fetch(state)
    assert state.warning is None


def test_success_sets_the_times():
    state, _ = fetch(START, caching=Caching(retry_after=2 * HOUR))
    assert (state.fetched_at, state.succeeded_at) == (NOW, NOW)
    assert state.not_before == NOW + 2 * HOUR
    assert state.next_poll_reason == "the publisher's Retry-After"
    later = NOW + DAY
    state, _ = not_modified(state, later)
    assert (state.fetched_at, state.succeeded_at, state.not_before) == (later, later, None)


def test_success_ends_failures_and_gone():
    state, _ = fail(KNOWN)
    state, _ = transitions.on_gone(FEED, state, NOW + HOUR)
    state, _ = fetch(state, NOW + DAY)
    assert (state.failing_since_at, state.gone_at) == (None, None)


def test_304_gives_another_freshness_and_validators():
    state, _ = fetch(START, validators=Validators('"1"', "Tue", URL), caching=Caching(HOUR, HOUR))
    state, _ = not_modified(
        state, caching=Caching(5 * HOUR, 5 * HOUR), validators=Validators(None, "Wed", URL)
    )
    assert state.lifetime == 5 * HOUR
    assert state.validators == Validators('"1"', "Wed", URL)


def test_304_at_another_url_is_no_answer_of_the_new_one():
    state, _ = fetch(START, moved_to=NEW)
    state, _ = not_modified(state, moved_to="https://c.example/feed")
    assert state.move is None


def test_partial_document_updates_what_it_has():
    """RFC 3229: it has only the new entries."""
    start = replace(START, newest_at=NOW - 9 * DAY)
    assert fetch(start, partial=True)[0].newest_at == NOW - DAY
    undated = replace(PARSED, entries=(Entry("k", "urn:k", "T"),))
    assert fetch(start, parsed=undated, partial=True)[0].newest_at == NOW - 9 * DAY
    two = tuple(Entry(f"{n}", f"urn:{n}", "T", published=NOW - n * HOUR) for n in range(2))
    state, _ = fetch(start, parsed=replace(PARSED, entries=two), partial=True)
    assert state.gap == HOUR  # nothing else is known


def test_first_document_without_entries_is_new():
    assert fetch(START, parsed=replace(PARSED, entries=()))[0].newest_at == NOW


def test_failure_sets_the_next_poll():
    state, _ = fail(replace(KNOWN, failures=1))
    assert state.fetched_at == NOW
    assert state.next_poll_at and state.next_poll_at >= NOW + 2 * HOUR
    assert state.next_poll_reason == "failed 2 times in a row"


def test_gone_ends_a_wait_and_sets_the_next_poll():
    waiting = replace(KNOWN, not_before=NOW + DAY)
    state, _ = transitions.on_gone(FEED, waiting, NOW)
    assert state.not_before is None
    assert state.last_error == "gone for good (HTTP 410): remove it, or find its new address"
    assert state.next_poll_reason == "HTTP 410; polled again after a day"


def test_confirmed_gone_stays_confirmed():
    state = replace(KNOWN, gone_at=NOW - 2 * DAY, gone_confirmed=True)
    state, _ = transitions.on_gone(FEED, state, NOW)
    assert (state.gone_confirmed, state.next_poll_at) == (True, NOW + 30 * DAY)
    state, _ = fail(state, NOW + DAY, unreached=True)
    assert state.gone_confirmed


def test_other_answer_after_410_begins_the_count_again():
    state, _ = transitions.on_gone(FEED, KNOWN, NOW)
    state, _ = fail(state, NOW + HOUR, status=500)
    assert state.gone_at is None
    state, _ = transitions.on_gone(FEED, state, NOW + DAY)
    assert not state.gone_confirmed


def test_network_failure_confirms_nothing():
    assert not fail(KNOWN, unreached=True)[0].gone_confirmed
    state, _ = transitions.on_gone(FEED, KNOWN, NOW)
    assert not fail(state, NOW + DAY, unreached=True)[0].gone_confirmed


def test_adopted_move_is_kept_and_reported_once():
    state, _ = moved(5, DAY)
    later, events = fetch(state, NOW + 5 * DAY)  # polled at its new address: no redirect
    assert (later.move, events) == (state.move, ())


def test_move_is_adopted_at_48_hours():
    assert moved(5, 12 * HOUR)[0].move.adopted
    assert not moved(5, 12 * HOUR - timedelta(seconds=1))[0].move.adopted


def test_failures_do_not_end_a_move_that_is_still_counted():
    """Only an adopted address is undone after three failures."""
    state, _ = moved(4, DAY)
    for hour in range(4):
        state, _ = fail(state, NOW + 3 * DAY + hour * HOUR)
    assert state.move == Move(NEW, NOW, 4)


def test_messages_of_events():
    state = replace(KNOWN, operator_notified=True)
    assert fetch(state)[1][0].message == "answers again"
    (adopted,) = moved(5, DAY)[1]
    assert adopted.message == f"moved for good: in feeds.toml, change its address to {NEW}"
    old = replace(PARSED, entries=(Entry("k", "urn:k", "T", published=NOW - 366 * DAY),))
    (silent,) = fetch(START, parsed=old)[1]
    assert silent.message == "no entry since 2025-11-23; it is now polled once a week"
    failing = replace(KNOWN, failing_since_at=NOW - 3 * DAY)
    (broken,) = fail(failing)[1]
    assert broken.message == "failing since 2026-11-21: HTTP 500"
