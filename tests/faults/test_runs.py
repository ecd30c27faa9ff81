"""Faults of a run: signals, clocks, environment, resources."""

import contextlib
import json
import os
import pty
import re
import resource
import shutil
import signal
import subprocess
import termios
import threading
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.atomrules import ATOM
from tests.faults.catalogue import fault
from tests.faults.helpers import (
    CALLS,
    check_end,
    check_old_or_new,
    count_calls,
    delay_answer,
    faketime,
    is_polled,
    needs,
    strace,
    wait_until,
)
from tests.faults.world import FIRST, HOSTS, SECOND, World, interrupt
from tests.forkserver import reset_sigint
from tests.origin import Answer


@fault(
    "R01",
    "Killed at any time",
    produced="SIGKILL at a random moment of a run with new, edited and removed entries",
    must="every output is the complete old or the complete new file; after one more run all outputs equal "
    "those of a run that was never killed, byte for byte, and no temporary file is left",
    promises="P3 P4 P9 P10",
    rounds=4,
)
def test_killed_at_any_time(used_world, baseline, rng, rounds):
    began = time.monotonic()
    used_world.call("run", "--all", may_fork=False)
    run_seconds = time.monotonic() - began
    for _ in rounds:
        used_world.copy_from(baseline.root)
        process = used_world.start("run", "--all", may_fork=False)
        time.sleep(rng.uniform(0.2, 1.0) * run_seconds)
        process.kill()
        process.communicate()
        check_old_or_new(used_world, baseline.before, baseline.after)
        used_world.check_intact()
        used_world.call("run", "--all")
        used_world.check_outputs(baseline.after)
        used_world.check_clean()


@fault(
    "R02",
    "Killed at a system call",
    produced=f"SIGKILL at the Nth {', '.join(CALLS)} (strace), in a run with new entries",
    must="as R01",
    promises="P3 P4 P9 P10",
    rounds=5,
)
def test_killed_at_a_system_call(used_world, baseline, rng, rounds):
    kill_at_calls(used_world, baseline.root, "run", baseline.before, baseline.after, rng, rounds)


@fault(
    "R03",
    "Killed in the first run",
    produced="as R02, in a new installation without database and outputs",
    must="as R01; the database is complete or does not exist",
    promises="P3 P4 P10",
    rounds=4,
)
def test_killed_in_first_run(world, baseline, rng, rounds):
    world.publish(SECOND)
    start = world.root.parent / "start"
    shutil.copytree(world.root, start)
    kill_at_calls(world, start, "run", {}, baseline.from_nothing, rng, rounds)


def kill_at_calls(world, start, command, before, after, rng, rounds):
    log = world.root.parent / "log"
    world.copy_from(start)
    tracing = strace(",".join(CALLS), log=log)
    world.call(command, "--all", before=tracing)
    counts = {name: number for name, number in count_calls(log).items() if number}
    world.check_outputs(after)
    codes = []
    for _ in rounds:
        world.copy_from(start)
        name = rng.choice(sorted(counts))
        number = rng.randint(1, counts[name])
        print(f"killed at {name} {number} of {counts[name]}")
        inject = strace(name, f"signal=KILL:when={number}")
        killed = world.start(command, "--all", before=inject)
        killed.communicate(timeout=120)
        codes.append(killed.returncode)
        check_old_or_new(world, before, after)
        world.check_intact()
        world.call(command, "--all")
        world.check_outputs(after)
        world.check_clean()
    assert -signal.SIGKILL in codes


@fault(
    "R04",
    "Terminated or interrupted while publishers are polled",
    produced="SIGTERM, SIGINT or SIGHUP, once or five times, while a publisher has not answered yet",
    must="exit code 143, 130 or 129; no traceback; outputs unchanged; stored entries stay; the next run "
    "completes the work",
    promises="P2 P3 P4",
    cases=["TERM", "INT", "HUP", "TERM, five times", "INT, five times"],
)
def test_terminated_while_publishers_are_polled(used_world, baseline, case):
    used_world.origin.all_requests.clear()
    may_answer = delay_answer(used_world)
    process = used_world.start("run", "--all")
    wait_until(is_polled(used_world), "the publisher is polled")
    number = signal.Signals[f"SIG{case.partition(',')[0]}"]
    for _ in range(4 if "five" in case else 0):
        process.send_signal(number)
        time.sleep(0.01)
    code, err = interrupt(process, number)
    may_answer.set()
    assert code == 128 + number
    assert "Traceback" not in err
    used_world.check_outputs(baseline.before)
    used_world.publish(SECOND)
    used_world.call("run", "--all")
    used_world.check_outputs(baseline.after)


@fault(
    "R05",
    "Terminated or interrupted at any time",
    produced="SIGTERM or SIGINT at a random moment of a run, also while it starts or ends",
    must="exit code 143, 130 or 0; no traceback; each output old or new; the next run completes the work",
    promises="P2 P3 P4 P10",
    rounds=5,
)
def test_terminated_at_any_time(used_world, baseline, rng, rounds):
    began = time.monotonic()
    used_world.call("run", "--all", may_fork=False)
    run_seconds = time.monotonic() - began
    for _ in rounds:
        used_world.copy_from(baseline.root)
        number = rng.choice([signal.SIGTERM, signal.SIGINT])
        process = used_world.start("run", "--all", may_fork=False)
        time.sleep(rng.uniform(0, 1.1) * run_seconds)
        code, err = interrupt(process, number)
        check_end(number, code, err)
        check_old_or_new(used_world, baseline.before, baseline.after)
        used_world.call("run", "--all")
        used_world.check_outputs(baseline.after)
        used_world.check_clean()


@fault(
    "R06",
    "Ctrl-C on a terminal",
    produced="the key, on a pseudo-terminal where a run shows its progress",
    must="exit code 130; the terminal's settings are restored, and its cursor is visible again",
    promises="P2 P3",
)
def test_ctrl_c_on_a_terminal(used_world, baseline):
    used_world.origin.all_requests.clear()
    may_answer = delay_answer(used_world)
    terminal, child_terminal = pty.openpty()
    before = termios.tcgetattr(child_terminal)
    output = []

    def read():
        try:
            while data := os.read(terminal, 4096):
                output.append(data)
        except OSError:  # the other end was closed
            pass

    def control_terminal():
        reset_sigint()
        os.setsid()
        import fcntl

        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = used_world.start(
        "run",
        "--all",
        stdin=child_terminal,
        stdout=child_terminal,
        stderr=child_terminal,
        preexec_fn=control_terminal,
    )
    reader = threading.Thread(target=read)
    reader.start()
    wait_until(is_polled(used_world), "the publisher is polled")
    wait_until(lambda: b"?25l" in b"".join(output), "progress is shown")
    os.write(terminal, b"\x03")
    assert process.wait(60) == 130
    may_answer.set()
    assert termios.tcgetattr(child_terminal) == before
    os.close(child_terminal)
    reader.join()
    os.close(terminal)
    text = b"".join(output)
    assert text.rfind(b"\x1b[?25h") > text.rfind(b"\x1b[?25l")
    assert b"interrupted" in text
    used_world.check_outputs(baseline.before)


@fault(
    "R07",
    "Two or ten runs at the same time",
    produced="more runs are started while the first waits for a publisher (SIGSTOP), in an installation that "
    "has run before and in a new one",
    must="the first does the work; the others exit with 75 and name the process of the first",
    promises="P2 P3 P9",
    cases=[(2, "used"), (10, "used"), (10, "new")],
)
def test_runs_at_same_time(world, baseline, case):
    number, installation = case
    if installation == "used":
        world.copy_from(baseline.root)
    world.origin.all_requests.clear()
    may_answer = delay_answer(world)
    first = world.start("run", "--all")
    wait_until(is_polled(world), "the publisher is polled")
    first.send_signal(signal.SIGSTOP)  # keeps its lock however long the others take
    others = [world.start("run", "--all") for _ in range(number - 1)]
    for other in others:
        _, err = other.communicate(timeout=60)
        assert other.returncode == 75, err
        assert f"another run is in progress (process {first.pid}, since" in err
    may_answer.set()
    first.send_signal(signal.SIGCONT)
    first.communicate(timeout=60)
    assert first.returncode == 0
    assert len(world.origin.requests("/0")) == 1
    world.check_intact()


@fault(
    "R08",
    "Ten first runs at the same moment",
    produced="ten processes are started together in a new installation",
    must="at least one does the work and exits with 0, the others with 75; no traceback; no publisher is "
    "polled again after its feed was stored; the database is intact",
    promises="P2 P3",
)
def test_first_runs_at_same_moment(world):
    runs = [world.start("run") for _ in range(10)]
    codes = []
    for run in runs:
        _, err = run.communicate(timeout=120)
        assert run.returncode in {0, 75}, err
        assert "Traceback" not in err, err
        codes.append(run.returncode)
    assert 0 in codes
    assert all(len(world.origin.requests(f"/{number}")) == 1 for number, _ in enumerate(HOSTS))
    world.check_intact()
    world.check_clean()


@fault(
    "R09",
    "A stale lock",
    produced="a lock file that a killed process left behind, with the number of that process in it",
    must="the next run ignores it",
    promises="P3",
    cases=["empty", "12345"],
)
def test_stale_lock(used_world, baseline, case):
    lock = used_world.state.with_name(used_world.state.name + ".lock")
    lock.write_text("" if case == "empty" else case)
    assert used_world.call("run", "--all") == ("", "")
    used_world.check_outputs(baseline.after)


@fault(
    "R10",
    "Parser processes of a killed run",
    produced="SIGKILL or SIGTERM while child processes parse documents",
    must="the child processes end too",
    promises="P3",
    cases=["KILL", "TERM"],
)
def test_parser_processes_end_with_their_run(used_world, case):
    used_world.origin.all_requests.clear()
    may_answer = delay_answer(used_world)
    process = used_world.start("run", "--all")

    def children():
        return re.findall(rf"^{used_world.root}$", _working_folders(), re.MULTILINE)

    wait_until(lambda: len(children()) > 1, "a child process starts")
    process.send_signal(signal.Signals[f"SIG{case}"])
    process.communicate(timeout=60)
    may_answer.set()
    wait_until(lambda: not children(), "the children end")


def parser_processes(world, process):
    """The process ids of a run's parser processes."""
    ids = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            is_parser = b"spawn_main" in (folder / "cmdline").read_bytes()
            if is_parser and (folder / "cwd").readlink() == world.root:
                ids.append(int(folder.name))
    return [number for number in ids if number != process.pid]


def _working_folders():
    folders = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            folders.append(str((process / "cwd").readlink()))
    return "\n".join(folders)


@fault(
    "R11",
    "The clock is set back a day",
    produced="a run whose clock is a day before the last run (stopped clock), then runs at the right time",
    must="nothing is lost or published twice; no entry's `updated` goes back; feeds are polled",
    promises="P3 P9 P10",
)
def test_clock_is_set_back_a_day(used_world, baseline):
    before = updated(used_world.files()["commons.atom"])
    used_world.origin.all_requests.clear()
    assert used_world.call("run", clock="2026-11-23T12:00") == ("", "")
    assert is_polled(used_world)(), "feeds that were polled in the future are due"
    used_world.check_intact()
    now = updated(used_world.files()["commons.atom"])
    assert now.keys() >= before.keys()
    assert all(now[id] >= at for id, at in before.items())
    used_world.call("run", "--all")
    written = used_world.files()
    used_world.call("run", "--all")
    used_world.check_outputs(written)
    assert sorted(updated(written["all.atom"])) == sorted(updated(baseline.after["all.atom"]))


@fault(
    "R12",
    "The clock is a year ahead, then corrected",
    produced="a run a year later (stopped clock), then one at the right time",
    must="feeds are polled at once when the clock is right again; no entry that belongs to a tag is lost or "
    "published twice (other entries may have been pruned, as after a year)",
    promises="P3 P9",
)
def test_clock_is_a_year_ahead(used_world, baseline):
    used_world.call("run", clock="2027-11-24T15:00")
    used_world.origin.all_requests.clear()
    used_world.call("run")
    assert all(is_polled(used_world, f"/{number}")() for number, _ in enumerate(HOSTS))
    used_world.check_intact()
    for name in ("commons.atom", "p2p.atom"):
        assert updated(used_world.files()[name]).keys() == updated(baseline.after[name]).keys()
    written = used_world.files()
    used_world.call("run", "--all")
    used_world.check_outputs(written)


@fault(
    "R13",
    "The real clock jumps",
    produced="faketime: a day back, a year ahead, and the hour that occurs twice in Europe/Paris",
    must="a run succeeds, and a second one changes nothing",
    promises="P3 P9",
    cases=["-1d", "+365d", "@2026-10-25 00:59:58", "@2027-03-28 00:59:58"],
)
def test_real_clock_jumps(world, case):
    environment = faketime(case, TZ="Europe/Paris")
    world.call("run", clock=None, env=environment)
    written = world.files()
    world.call("run", "--all", clock=None, env=environment)
    world.check_outputs(written)
    out, _ = world.call("status", "--json", clock=None, env=environment)
    (started,) = {row["last_success"][:10] for row in json.loads(out)}
    if case.startswith("@"):
        assert started in (case[1:11], "2026-10-24", "2027-03-27")  # the day in UTC


def updated(atom):
    """The ``updated`` of each entry of a document by its id. No id may occur twice."""
    entries = ElementTree.fromstring(atom).findall(f"{ATOM}entry")
    dates = {e.findtext(f"{ATOM}id"): e.findtext(f"{ATOM}updated") for e in entries}
    assert len(dates) == len(entries)
    return dates


# Environments in which cron, systemd and containers start programs.
MINIMAL_ENVIRONMENT = {"PATH": os.environ["PATH"]}
LATIN5 = "tr_TR.ISO-8859-9"
ENVIRONMENTS = {
    "only PATH": {},
    "LC_ALL=C": {"LC_ALL": "C"},
    "LC_ALL=tr_TR.UTF-8": {"LC_ALL": "tr_TR.UTF-8"},
    f"LC_ALL={LATIN5}": {"LC_ALL": LATIN5},
    "TZ=Pacific/Apia": {"TZ": "Pacific/Apia"},
    "TERM=dumb, HOME=/nowhere": {"TERM": "dumb", "HOME": "/nowhere"},
    "PYTHONHASHSEED=1": {"PYTHONHASHSEED": "1"},
    "umask 077": {},
}


@fault(
    "R14",
    "Another environment",
    produced=f"{'; '.join(ENVIRONMENTS)}; no other variables but PATH; tags in Arabic, Turkish and emoji",
    must="the same files with the same bytes; commands print readable text",
    promises="P10",
    cases=list(ENVIRONMENTS),
)
def test_another_environment(world, case, multilingual_outputs):
    write_multilingual_tags(world)
    variables = ENVIRONMENTS[case]
    if locale := variables.get("LC_ALL"):
        locales = subprocess.run(["locale", "-a"], capture_output=True, text=True).stdout.lower()
        name = re.sub(r"-(?!.*_)", "", locale.lower())
        needs(locale == "C" or name in locales, f"the locale {locale}")
    environment = MINIMAL_ENVIRONMENT | variables
    settings = {"umask": 0o077} if case == "umask 077" else {"may_fork": False}
    assert world.call("run", env=environment, **settings) == ("", "")
    assert "العربية.atom".encode() in os.listdir(os.fsencode(world.outputs))  # noqa: PTH208  # in bytes
    world.check_outputs(multilingual_outputs)
    assert all(path.stat().st_mode & 0o444 == 0o444 for path in world.outputs.rglob("*.atom"))
    out, _ = world.call("tags", "--json", env=environment)
    assert {row["tag"] for row in json.loads(out)} >= set(MULTILINGUAL_TAGS)


MULTILINGUAL_TAGS = ["العربية", "Işık", "İstanbul", "🌱 growth", "日本"]


def write_multilingual_tags(world):
    world.prepare("".join(f'[tags."{tag}"]\nmatch = "commons"\n' for tag in MULTILINGUAL_TAGS))


@pytest.fixture(scope="module")
def multilingual_outputs(tmp_path_factory, publishers):
    """The outputs with tags in many scripts, in the environment of the tests."""
    world = World(tmp_path_factory.mktemp("multilingual"), publishers)
    write_multilingual_tags(world)
    world.publish(FIRST)
    world.call("run")
    return world.files()


@fault(
    "R15",
    "Closed standard streams",
    produced="`<&-`, `>&-`, `2>&-` of a shell, one by one and all together, in a run that prints messages",
    must="exit code 0, and the same outputs; no message ends up in a file",
    promises="P3 P4 P10",
    cases=["<&-", ">&-", "2>&-", "<&- >&- 2>&-"],
)
def test_closed_standard_streams(used_world, baseline, case):
    closing = ["sh", "-c", f'exec "$@" {case}', "sh"]
    used_world.call("-v", "run", "--all", before=closing)
    used_world.check_outputs(baseline.after)
    used_world.check_intact()
    used_world.call("status", before=closing)


@fault(
    "R16",
    "Messages cannot be written",
    produced="stdout and stderr are /dev/full, or a pipe whose reader has gone",
    must="the run completes; no traceback",
    promises="P3 P4",
    cases=["/dev/full", "a pipe without a reader"],
)
def test_messages_cannot_be_written(used_world, baseline, case):
    if case == "/dev/full":
        stream = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, stream = os.pipe()
        os.close(reader)
    used_world.call("-v", "run", "--all", "--json", stdout=stream, stderr=stream, code=None)
    os.close(stream)
    used_world.check_outputs(baseline.after)
    used_world.check_intact()


LIMITS = {
    "512 MB of memory": "",
    "64 open files": "",
    "16 open files": "too many open files",
    "no new process": "cannot start a process or thread",
}


@fault(
    "R17",
    "Few resources",
    produced=f"{', '.join(LIMITS)} (rlimits, strace), in a run with new entries",
    must="the run completes; or exit code 3 with the missing resource and what to do, no traceback, and the "
    "next run completes the work",
    promises="P2 P3 P4",
    cases=list(LIMITS),
)
def test_few_resources(used_world, baseline, case):
    number = int("".join(filter(str.isdigit, case)) or 0)
    before = strace("fork,vfork,clone,clone3", "error=EAGAIN")

    def set_limits():
        reset_sigint()
        kind = resource.RLIMIT_NOFILE if "files" in case else resource.RLIMIT_AS
        limit = number if "files" in case else number << 20
        if number:
            resource.setrlimit(kind, (limit, limit))

    err = used_world.call(
        "run",
        "--all",
        code=3 if LIMITS[case] else 0,
        preexec_fn=set_limits,
        before=() if number else before,
    )[1]
    assert LIMITS[case] in err
    assert len(err.splitlines()) == bool(LIMITS[case])
    check_old_or_new(used_world, baseline.before, baseline.after)
    used_world.call("run", "--all")
    used_world.check_outputs(baseline.after)


@fault(
    "R18",
    "Unreadable certificates",
    produced="`SSL_CERT_FILE` names a missing file, a folder, or a file of another kind",
    must="exit code 2, with the file and what to do; no publisher is polled",
    promises="P2 P3 P4",
    cases=["/nowhere", "/", "feeds.toml"],
)
def test_unreadable_certificates(used_world, baseline, case):
    used_world.origin.all_requests.clear()
    env = os.environ | {"SSL_CERT_FILE": case}
    _, err = used_world.call("run", "--all", code=2, env=env)
    (line,) = err.splitlines()
    assert line.startswith(f"{case}: no certificates can be read there (")
    assert not used_world.origin.all_requests
    used_world.check_outputs(baseline.before)
    used_world.call("run", "--all")
    used_world.check_outputs(baseline.after)


DAMAGED = {
    "empty": lambda good: b"",
    "truncated in a line": lambda good: good[: good.index(b"allow_private") + 20],
    "NUL bytes, as after a power failure": lambda good: bytes(len(good)),
    "UTF-16": lambda good: good.decode().encode("utf-16"),
    "Latin-1": lambda good: good + b"# \xe9t\xe9\n",
    "100,000 nested lists": lambda good: good + b"x = " + b"[" * 100_000,
    "a number of 100,000 digits": lambda good: good + b"[publish]\nlive = " + b"9" * 100_000,
    "a folder": None,
    "a link to itself": None,
    "missing": None,
}


@fault(
    "R19",
    "An unreadable feeds.toml",
    produced=", ".join(DAMAGED),
    must="exit code 2, with one line that explains the error; no publisher is polled, and no output changes",
    promises="P2 P3 P4",
    cases=list(DAMAGED),
)
def test_unreadable_feeds_toml(used_world, baseline, case):
    used_world.origin.all_requests.clear()
    path = used_world.root / "feeds.toml"
    good = path.read_bytes()
    path.unlink()
    if damage := DAMAGED[case]:
        path.write_bytes(damage(good))
    elif case == "a folder":
        path.mkdir()
    elif case == "a link to itself":
        path.symlink_to(path)
    (line,) = used_world.call("run", "--all", code=2)[1].splitlines()
    assert line.startswith("feeds.toml:")
    assert len(line) < 200
    assert not used_world.origin.all_requests
    used_world.check_outputs(baseline.before)


@fault(
    "R20",
    "A parser process is killed",
    produced="SIGKILL, as from the kernel when memory is short, while the process starts or is idle",
    must="another process parses the documents; the outputs equal those of an undisturbed run",
    promises="P1 P2 P3",
    cases=["while it starts", "while it is idle"],
)
def test_parser_process_is_killed(used_world, baseline, case):
    may_answer = threading.Event()
    used_world.origin["/0"] = Answer(
        used_world.origin.answers["/0"], wait=lambda: may_answer.wait(60)
    )
    process = used_world.start("run", "--all")
    wait_until(lambda: parser_processes(used_world, process), "a parser process starts")
    time.sleep(1.5 if "idle" in case else 0)
    for number in parser_processes(used_world, process):
        os.kill(number, signal.SIGKILL)
    may_answer.set()
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    used_world.check_outputs(baseline.after)


@fault(
    "R21",
    "The working folder was removed",
    produced="the folder is removed before the program starts in it, with and without `--config`",
    must="with `--config` the run completes; without it exit code 2, because there is no feeds.toml",
    promises="P2 P3",
    cases=["with --config", "without --config"],
)
def test_working_folder_was_removed(used_world, baseline, case):
    in_removed_folder = ["sh", "-c", 'mkdir gone && cd gone && rmdir ../gone && exec "$@"', "sh"]
    if case == "without --config":
        (line,) = used_world.call("run", code=2, before=in_removed_folder)[1].splitlines()
        assert line.startswith("feeds.toml: no configuration here")
        used_world.check_outputs(baseline.before)
        return
    config = str(used_world.root / "feeds.toml")
    assert used_world.call("--config", config, "run", "--all", before=in_removed_folder) == (
        "",
        "",
    )
    used_world.check_outputs(baseline.after)
