from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.fetch import schedule
from aggregator.fetch.schedule import DAY, HOUR, after_failure, after_success, entry_rhythm, is_due
from aggregator.model import Caching, FeedState, Move, PollHints
from tests.harness import subscription

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)  # a Tuesday
FEED = subscription("https://a.example/feed")
EVERY_TWO_HOURS = subscription("https://a.example/feed", min_interval=2 * HOUR)
UNTIL = NOW + HOUR


def state(**values):
    return FeedState(FEED.key, **values)


@pytest.mark.parametrize(
    ("values", "due", "with_all"),
    [
        ({}, True, True),
        ({"fetched_at": NOW - HOUR}, False, True),  # min_interval
        ({"fetched_at": NOW - 2 * HOUR}, True, True),
        ({"fetched_at": NOW - 3 * HOUR, "next_poll_at": NOW}, True, True),
        ({"fetched_at": NOW - 3 * HOUR, "next_poll_at": UNTIL}, False, True),
        ({"fetched_at": NOW - 3 * HOUR, "not_before": UNTIL}, False, False),
        ({"fetched_at": NOW - 3 * HOUR, "not_before": NOW}, True, True),
        ({"fetched_at": NOW + 9 * HOUR, "next_poll_at": NOW + DAY}, True, True),  # clock set back
        ({"fetched_at": NOW - HOUR, "not_before": NOW + 99 * DAY}, False, True),  # it was ahead
    ],
)
def test_due_subscriptions(values, due, with_all):
    assert is_due(EVERY_TWO_HOURS, state(**values), {}, NOW) is due
    assert is_due(EVERY_TWO_HOURS, state(**values), {}, NOW, everything=True) is with_all


def test_feeds_of_a_held_host_are_not_due():
    assert not is_due(FEED, state(), {"a.example": UNTIL}, NOW)
    assert is_due(FEED, state(), {"b.example": UNTIL}, NOW)
    moved = state(move=Move("https://b.example/feed", NOW, 5, adopted=True))
    assert not is_due(FEED, moved, {"b.example": UNTIL}, NOW)


def test_rhythm_is_the_median_gap_of_recent_entries():
    dates = [NOW - n * DAY for n in range(1, 30)] + [NOW - 3000 * DAY]
    assert entry_rhythm(dates, NOW) == (DAY, NOW - DAY)
    assert entry_rhythm([NOW + HOUR], NOW) == (None, NOW)
    assert entry_rhythm([], NOW) == (None, None)


def next_delay(caching=Caching(), subscription=FEED, **values):  # noqa: B008 (frozen)
    values = {"newest_at": NOW, "gap": None} | values
    at, reason = after_success(subscription, state(**values), caching, NOW)
    return at - NOW, reason


@pytest.mark.parametrize(
    ("values", "least", "reason"),
    [
        ({"newest_at": None}, HOUR, "no entry has a date"),
        ({"gap": None}, HOUR, "too few entries have dates"),
        ({"gap": timedelta(0)}, HOUR, "too few entries have dates"),  # all at the same time
        ({"gap": None, "newest_at": NOW - 15 * DAY}, 12 * HOUR, "no entry for 15 d"),
        ({"gap": timedelta(minutes=5)}, HOUR, "an entry about every 5 min"),  # the floor
        ({"gap": 8 * HOUR}, 2 * HOUR, "an entry about every 8 h"),
        ({"gap": 30 * DAY}, DAY, "an entry about every 30 d"),  # the ceiling
        ({"gap": HOUR, "newest_at": NOW - 15 * DAY}, 12 * HOUR, "no entry for 15 d"),
        ({"gap": HOUR, "newest_at": NOW - 364 * DAY}, DAY, "no entry for 364 d"),
        ({"gap": HOUR, "newest_at": NOW - 365 * DAY}, 7 * DAY, "silent since 2025-11-24"),
        # lower bounds of the publisher's, over the ceiling too
        ({"hints": PollHints(ttl=5 * HOUR)}, 5 * HOUR, "ttl"),
        ({"hints": PollHints(ttl=99 * DAY)}, DAY, "ttl"),
        ({"hints": PollHints(period=2 * HOUR)}, 2 * HOUR, "sy:updatePeriod"),
        ({"hints": PollHints(period=99 * DAY)}, DAY, "sy:updatePeriod"),
        ({"lifetime": 3 * HOUR}, 3 * HOUR, "fresh"),
        ({"caching": Caching(None, 30 * HOUR)}, DAY, "fresh"),
        ({"caching": Caching(7 * DAY, 7 * DAY)}, DAY, "fresh"),
        ({"lifetime": 7 * DAY}, DAY, "fresh"),
        ({"caching": Caching(7 * DAY, 7 * DAY, 2 * DAY)}, 2 * DAY, "Retry-After"),
        ({"caching": Caching(None, None, 3 * HOUR)}, 3 * HOUR, "Retry-After"),
        ({"lifetime": 9 * HOUR, "caching": Caching(2 * HOUR, 2 * HOUR)}, 2 * HOUR, "fresh"),
        ({"subscription": EVERY_TWO_HOURS}, 2 * HOUR, "min_interval"),
        ({"gap": 40 * HOUR, "hints": PollHints(ttl=5 * HOUR)}, 10 * HOUR, "an entry about"),
    ],
)
def test_next_poll_and_its_reason(values, least, reason):
    delay, why = next_delay(**values)
    assert least <= delay <= least * 1.1
    assert reason in why


def test_jitter_is_stable_per_feed_and_spreads():
    assert next_delay() == next_delay()
    delays = {
        after_success(FEED, FeedState(f"https://{n}.example/"), Caching(), NOW)[0]
        for n in range(50)
    }
    assert len(delays) == 50
    assert max(delays) - min(delays) > timedelta(minutes=3)


def test_update_schedule_starts_at_its_base():
    """sy:updateBase: updates come at 10:00, 16:00, 22:00; at noon the next is at 16:00."""
    hints = PollHints(period=6 * HOUR, base=datetime(2000, 1, 1, 10, tzinfo=UTC))
    delay, why = next_delay(hints=hints)
    assert 4 * HOUR <= delay < 4.1 * HOUR
    assert "sy:" in why


@pytest.mark.parametrize(
    ("hints", "first"),
    [
        (PollHints(skip_hours=frozenset({13, 14})), NOW.replace(hour=15)),
        (PollHints(skip_hours=frozenset(range(12, 24))), NOW.replace(day=25, hour=0)),
        (PollHints(skip_days=frozenset({1})), NOW.replace(day=25, hour=0)),
        (
            PollHints(skip_days=frozenset({1, 2}), skip_hours=frozenset({0})),
            NOW.replace(day=26, hour=1),
        ),
        (PollHints(skip_hours=frozenset(range(24))), NOW + HOUR),  # never: not meant
        (PollHints(skip_days=frozenset(range(7))), NOW + HOUR),
    ],
)
def test_skip_hours_and_skip_days_are_respected(hints, first):
    delay, _ = next_delay(hints=hints)
    assert first <= NOW + delay < first + HOUR
    failing = state(failures=1, hints=hints)
    at, _ = after_failure(FEED, failing, None, Caching(), NOW)
    assert at >= first


@given(
    lifetime=st.integers(0, 14 * 86400),
    retry=st.integers(0, 7 * 86400),
    ttl=st.integers(0, 3 * 86400),
    gap=st.integers(0, 100 * 86400),
    hours=st.frozensets(st.integers(0, 23), max_size=23),
    minute=st.integers(0, 60 * 24 * 7),
)
def test_next_poll_respects_every_bound(lifetime, retry, ttl, gap, hours, minute):
    now = NOW + timedelta(minutes=minute)
    seconds = timedelta(seconds=1)
    fresh = min(lifetime * seconds, 7 * DAY)  # as `caching` gives it; it counts for a day
    feed_state = state(
        newest_at=now, gap=gap * seconds, hints=PollHints(ttl=ttl * seconds, skip_hours=hours)
    )
    at, _ = after_success(FEED, feed_state, Caching(fresh, fresh, retry * seconds), now)
    least = max(min(fresh, DAY), retry * seconds, min(ttl * seconds, DAY), HOUR)
    assert at >= now + least
    if not hours:
        assert at <= now + max(least, DAY)
    assert at.hour not in hours


def test_back_off_doubles_up_to_a_week():
    delays = []
    for streak in range(1, 40):
        at, reason = after_failure(FEED, state(failures=streak), 500, Caching(), NOW)
        delays.append(at - NOW)
        assert str(streak) in reason or streak == 1
    assert HOUR <= delays[0] <= 1.2 * HOUR
    assert all(earlier <= later for earlier, later in pairwise(delays))
    assert 8 * HOUR <= delays[3] <= 9.6 * HOUR
    assert delays[-1] == 7 * DAY


@pytest.mark.parametrize(
    ("status", "caching", "least"),
    [
        (403, Caching(), 4 * HOUR),
        (429, Caching(), 4 * HOUR),
        (429, Caching(retry_after=timedelta(seconds=30)), HOUR),
        (429, Caching(retry_after=5 * DAY), 5 * DAY),
        (503, Caching(fresh=2 * HOUR), 2 * HOUR),
        (500, Caching(), HOUR),
    ],
)
def test_refusals_delay_the_next_poll(status, caching, least):
    at, _ = after_failure(FEED, state(failures=1), status, caching, NOW)
    assert least <= at - NOW <= 1.2 * least


def test_adopted_url_is_polled():
    move = Move("https://b.example/feed", NOW, 4)
    assert schedule.poll_url(FEED, state(move=move)) == FEED.url
    assert schedule.poll_url(FEED, state(move=replace(move, adopted=True))) == move.url


@pytest.mark.parametrize(
    ("values", "delay"),
    [
        ({"gone_at": NOW}, DAY),
        ({"gone_at": NOW - HOUR}, 23 * HOUR),
        ({"gone_at": NOW - DAY, "gone_confirmed": True}, 30 * DAY),
    ],
)
def test_gone_feed_is_asked_after_a_day_and_then_every_30_days(values, delay):
    at, _ = schedule.after_gone(state(**values), NOW)
    assert at == NOW + delay


@pytest.mark.parametrize("days", [3, 10, 29])
def test_quiet_feed_is_polled_30_times_in_the_time_without_entries(days):
    delay, reason = next_delay(gap=HOUR, newest_at=NOW - days * DAY)
    assert days * DAY / 30 <= delay <= days * DAY / 30 * 1.1
    assert reason == f"no entry for {days} d"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"newest_at": None}, "no entry has a date yet"),
        ({"gap": 8 * HOUR}, "an entry about every 8 h"),
        ({"newest_at": NOW - 365 * DAY}, "silent since 2025-11-24"),
        ({"subscription": EVERY_TWO_HOURS}, "min_interval in feeds.toml"),
        ({"caching": Caching(retry_after=3 * HOUR)}, "the publisher's Retry-After"),
        ({"lifetime": 3 * HOUR}, "fresh until then (Cache-Control or Expires)"),
        ({"hints": PollHints(ttl=3 * HOUR)}, "the feed's ttl"),
        ({"hints": PollHints(period=3 * HOUR)}, "the feed's sy:updatePeriod"),
        ({"hints": PollHints(skip_hours=frozenset({13}))}, "the feed's skipHours or skipDays"),
    ],
)
def test_reasons_in_words(values, reason):
    assert next_delay(**values)[1] == reason


def test_reasons_of_failures_in_words():
    def why(failures):
        return after_failure(FEED, state(failures=failures), 500, Caching(), NOW)[1]

    assert why(1) == "failed once"
    assert why(2) == "failed 2 times in a row"
    first, later = state(gone_at=NOW), state(gone_at=NOW, gone_confirmed=True)
    assert schedule.after_gone(first, NOW)[1] == "HTTP 410; polled again after a day"
    assert schedule.after_gone(later, NOW)[1] == "gone (HTTP 410); polled once a month"


@pytest.mark.parametrize(
    ("delay", "text"),
    [
        (2 * DAY, "2 d"),
        (DAY, "1 d"),
        (23 * HOUR, "23 h"),
        (HOUR, "1 h"),
        (HOUR - timedelta(minutes=1), "59 min"),
        (timedelta(minutes=1), "1 min"),
        (timedelta(seconds=59), "59 s"),
    ],
)
def test_duration_in_its_largest_unit(delay, text):
    assert schedule.format_duration(delay) == text


def test_rhythm_counts_the_ten_newest_gaps():
    """Five of an hour and five of three have the median of two hours; older ones are of a day."""
    hours = [0, 1, 2, 3, 4, 5, 8, 11, 14, 17, 20, 44, 68, 92, 116]
    gap, _ = entry_rhythm([NOW - n * HOUR for n in hours], NOW)
    assert gap == 2 * HOUR


def test_feed_without_dates_is_not_silent():
    assert schedule.is_silent(state(), NOW) is False


def test_longer_of_two_waits_counts():
    short, long = NOW + HOUR, NOW + 2 * HOUR
    assert schedule.held_until(FEED, state(not_before=short), {"a.example": long}, NOW) == long
    assert schedule.held_until(FEED, state(not_before=long), {"a.example": short}, NOW) == long
    assert schedule.held_until(FEED, state(), {}, NOW) is None


def test_wait_of_seven_days_is_obeyed():
    assert not is_due(FEED, state(not_before=NOW + 7 * DAY), {}, NOW)
    assert is_due(FEED, state(not_before=NOW + 7 * DAY + timedelta(seconds=1)), {}, NOW)


def test_feed_is_not_polled_twice_in_a_second():
    assert not is_due(FEED, state(fetched_at=NOW, next_poll_at=UNTIL), {}, NOW)


def test_rhythm_or_silence_whichever_is_longer():
    """A quarter of 8 hours, or a thirtieth of 5 days."""
    delay, reason = next_delay(gap=8 * HOUR, newest_at=NOW - 5 * DAY)
    assert 4 * HOUR <= delay <= 4.4 * HOUR
    assert reason == "no entry for 5 d"


def test_at_most_300_feeds_of_a_domain_the_longest_overdue_first():
    never, fetched = state(), state(fetched_at=NOW - 400 * HOUR)
    overdue = [state(next_poll_at=NOW - n * HOUR, fetched_at=NOW - 9000 * HOUR) for n in range(301)]
    feeds = [subscription(f"https://{n}.a.example/feed") for n in range(303)]
    other = (subscription("https://b.example/feed"), state(next_poll_at=NOW))
    due = [other, *zip(feeds, [*overdue, fetched, never], strict=True)]
    limited = schedule.limit_per_host(due)
    # Never fetched; fetched 400 hours ago, without a plan; then 300, 299 … 3 hours overdue.
    expected = [feeds[302], feeds[301], *feeds[300:2:-1]]
    assert [feed for feed, _ in limited] == [*expected, other[0]]


def test_jitter_is_at_most_half_an_hour():
    def jitter(number):
        feed_state = FeedState(f"https://{number}.example/", newest_at=NOW, gap=80 * HOUR)
        return after_success(FEED, feed_state, Caching(), NOW)[0] - NOW - 20 * HOUR

    half_an_hour = timedelta(minutes=30)
    assert half_an_hour * 0.99 < max(map(jitter, range(1000))) <= half_an_hour


def test_jitter_of_failures_is_at_most_a_fifth():
    def delay(number):
        failed = FeedState(f"https://{number}.example/", failures=1)
        return after_failure(FEED, failed, None, Caching(), NOW)[0] - NOW

    delays = [delay(number) for number in range(1000)]
    assert HOUR <= min(delays) < 1.01 * HOUR
    assert 1.19 * HOUR < max(delays) <= 1.2 * HOUR


def test_only_hour_and_only_day_that_are_not_skipped():
    only_three = PollHints(skip_hours=frozenset(range(24)) - {3})
    at = NOW + next_delay(hints=only_three)[0]
    assert (at.day, at.hour) == (25, 3)
    only_monday = PollHints(skip_days=frozenset(range(1, 7)))
    at = NOW + next_delay(hints=only_monday)[0]
    assert (at.day, at.weekday()) == (30, 0)


def test_skipped_hour_keeps_the_minutes():
    """So feeds with the same skipHours are not polled at the same second."""
    at = NOW + next_delay()[0]
    assert at.minute
    assert next_delay(hints=PollHints(skip_hours=frozenset({at.hour})))[0] == at + HOUR - NOW
