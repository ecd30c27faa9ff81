"""Faults of a run: its end, its time, its surroundings."""

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

from tests.faults.catalogue import fault
from tests.faults.means import CALLS, count_calls, faketime, hear_interrupts, needs, strace
from tests.faults.world import FIRST, HOSTS, REPOSITORY, SECOND, World, interrupt
from tests.origin import Answer


def check_old_or_new(world, *whole):
    """Every output is one that an undisturbed run has made, before or after."""
    for name, data in world.files().items():
        if not name.rpartition("/")[2].startswith("."):
            assert data in [files.get(name) for files in whole], name


@fault(
    "R01",
    "Killed at any time",
    produced="SIGKILL after a random time of a run in which entries are new, edited and gone",
    must="every output is the old or the new one, whole; one quiet run later all outputs are byte for "
    "byte those of a run that was never killed, and nothing is left over",
    promises="P3 P4 P9 P10",
    rounds=4,
)
def test_killed_at_any_time(settled, undisturbed, chance, rounds):
    began = time.monotonic()
    settled.call("run", "--all")
    whole = time.monotonic() - began
    for _ in rounds:
        settled.become(undisturbed.root)
        process = settled.start("run", "--all")
        time.sleep(chance.uniform(0.2, 1.0) * whole)
        process.kill()
        process.communicate()
        check_old_or_new(settled, undisturbed.before, undisturbed.after)
        settled.check_whole()
        settled.call("run", "--all")
        settled.check_outputs(undisturbed.after)
        settled.check_clean()


@fault(
    "R02",
    "Killed at a system call",
    produced=f"SIGKILL at the Nth {', '.join(CALLS)} (strace), in a run with news",
    must="as R01",
    promises="P3 P4 P9 P10",
    rounds=5,
)
def test_killed_at_a_system_call(settled, undisturbed, chance, rounds):
    kill_at_calls(
        settled, undisturbed.root, "run", undisturbed.before, undisturbed.after, chance, rounds
    )


@fault(
    "R03",
    "Killed in the very first run",
    produced="as R02, in a run before which there was no database and no output",
    must="as R01: a database is there whole, or not at all",
    promises="P3 P4 P10",
    rounds=4,
)
def test_killed_in_the_very_first_run(world, undisturbed, chance, rounds):
    world.publish(SECOND)
    start = world.root.parent / "nothing"
    shutil.copytree(world.root, start)
    kill_at_calls(world, start, "run", {}, undisturbed.from_nothing, chance, rounds)


def kill_at_calls(world, start, command, before, after, chance, rounds):
    log = world.root.parent / "log"
    world.become(start)
    watch = strace("-e", f"trace={','.join(CALLS)}", "-o", str(log))
    world.call(command, "--all", before=watch)
    counts = {name: number for name, number in count_calls(log).items() if number}
    world.check_outputs(after)
    for _ in rounds:
        world.become(start)
        name = chance.choice(sorted(counts))
        number = chance.randint(1, counts[name])
        print(f"killed at {name} {number} of {counts[name]}")
        inject = strace(
            "-o", str(log), "-e", f"trace={name}", "-e", f"inject={name}:signal=KILL:when={number}"
        )
        world.call(command, "--all", before=inject, code=None)
        check_old_or_new(world, before, after)
        world.check_whole()
        world.call(command, "--all")
        world.check_outputs(after)
        world.check_clean()


def wait_until(true, what, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if true():
            return
        time.sleep(0.02)
    pytest.fail(f"waited in vain: {what}")


def hold(world):
    """Let one publisher not answer before this is set."""
    released = threading.Event()
    edition = world.origin.answers["/0"]
    world.origin["/0"] = Answer(edition, wait=lambda: released.wait(60))
    return released


def check_end(how, code, err):
    """A signal has ended it as it should. While Python itself begins, and nothing of ours is read, it
    says what it likes, and ends with 1."""
    if "KeyboardInterrupt" not in err or str(REPOSITORY / "aggregator") in err:
        assert code in (128 + how, 0, -how), (how, code, err)
        assert "Traceback" not in err, err


def asked(world, path="/0"):
    return lambda: bool(world.origin.requests(path))


@fault(
    "R04",
    "Terminated or interrupted while publishers are asked",
    produced="SIGTERM, SIGINT, SIGHUP while one publisher has not answered, once, and five times at once",
    must="143, 130 or 129; no traceback; outputs untouched; what was stored stays, and the next run completes "
    "it",
    promises="P2 P3 P4",
    cases=["TERM", "INT", "HUP", "TERM, five times", "INT, five times"],
)
def test_terminated_while_publishers_are_asked(settled, undisturbed, case):
    settled.origin.asked.clear()
    released = hold(settled)
    process = settled.start("run", "--all")
    wait_until(asked(settled), "the publisher is asked")
    how = signal.Signals[f"SIG{case.partition(',')[0]}"]
    for _ in range(4 if "five" in case else 0):
        process.send_signal(how)
        time.sleep(0.01)
    code, err = interrupt(process, how)
    released.set()
    assert code == 128 + how
    assert "Traceback" not in err
    settled.check_outputs(undisturbed.before)
    settled.publish(SECOND)
    settled.call("run", "--all")
    settled.check_outputs(undisturbed.after)


@fault(
    "R05",
    "Terminated or interrupted at any time",
    produced="SIGTERM or SIGINT after a random time of a run, its start and its end included",
    must="143, 130 or 0; no traceback; outputs old or new; the next run completes it",
    promises="P2 P3 P4 P10",
    rounds=5,
)
def test_terminated_at_any_time(settled, undisturbed, chance, rounds):
    began = time.monotonic()
    settled.call("run", "--all")
    whole = time.monotonic() - began
    for _ in rounds:
        settled.become(undisturbed.root)
        how = chance.choice([signal.SIGTERM, signal.SIGINT])
        process = settled.start("run", "--all")
        time.sleep(chance.uniform(0, 1.1) * whole)
        code, err = interrupt(process, how)
        check_end(how, code, err)
        check_old_or_new(settled, undisturbed.before, undisturbed.after)
        settled.call("run", "--all")
        settled.check_outputs(undisturbed.after)
        settled.check_clean()


@fault(
    "R06",
    "Ctrl-C on a terminal",
    produced="the key, on a pseudo-terminal on which a run shows its progress",
    must="130; the terminal's settings are as they were, and its cursor is shown again",
    promises="P2 P3",
)
def test_ctrl_c_on_a_terminal(settled, undisturbed):
    settled.origin.asked.clear()
    released = hold(settled)
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    shown = []

    def read():
        try:
            while data := os.read(ours, 4096):
                shown.append(data)
        except OSError:  # the other end was closed
            pass

    def own_terminal():
        hear_interrupts()
        os.setsid()
        import fcntl

        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = settled.start(
        "run", "--all", stdin=theirs, stdout=theirs, stderr=theirs, preexec_fn=own_terminal
    )
    reader = threading.Thread(target=read)
    reader.start()
    wait_until(asked(settled), "the publisher is asked")
    wait_until(lambda: b"?25l" in b"".join(shown), "progress is shown")
    os.write(ours, b"\x03")
    assert process.wait(60) == 130
    released.set()
    assert termios.tcgetattr(theirs) == before
    os.close(theirs)
    reader.join()
    os.close(ours)
    said = b"".join(shown)
    assert said.rfind(b"\x1b[?25h") > said.rfind(b"\x1b[?25l")
    assert b"interrupted" in said
    settled.check_outputs(undisturbed.before)


@fault(
    "R07",
    "Two and ten runs at once",
    produced="as many processes, started while the first waits for a publisher (SIGSTOP); of an installation "
    "that has run, and of a new one",
    must="one does the work; each other ends with 75, and names the process that is at work",
    promises="P2 P3 P9",
    cases=[(2, "settled"), (10, "settled"), (10, "new")],
)
def test_runs_at_once(world, undisturbed, case):
    number, which = case
    if which == "settled":
        world.become(undisturbed.root)
    world.origin.asked.clear()
    released = hold(world)
    first = world.start("run", "--all")
    wait_until(asked(world), "the publisher is asked")
    first.send_signal(signal.SIGSTOP)  # however long the others take, it is at work
    others = [world.start("run", "--all") for _ in range(number - 1)]
    for other in others:
        _, err = other.communicate(timeout=60)
        assert other.returncode == 75, err
        assert f"another run is in progress (process {first.pid}, since" in err
    released.set()
    first.send_signal(signal.SIGCONT)
    first.communicate(timeout=60)
    assert first.returncode == 0
    assert len(world.origin.requests("/0")) == 1
    world.check_whole()


@fault(
    "R08",
    "Ten first runs at the same instant",
    produced="ten processes started together where there is no database yet",
    must="at least one does the work and ends with 0, each other with 75; no traceback; no publisher "
    "is asked twice for what is stored; the database is whole",
    promises="P2 P3",
)
def test_first_runs_at_the_same_instant(world):
    runs = [world.start("run") for _ in range(10)]
    codes = []
    for run in runs:
        _, err = run.communicate(timeout=120)
        assert run.returncode in {0, 75}, err
        assert "Traceback" not in err, err
        codes.append(run.returncode)
    assert 0 in codes
    assert all(len(world.origin.requests(f"/{number}")) == 1 for number, _ in enumerate(HOSTS))
    world.check_whole()
    world.check_clean()


@fault(
    "R09",
    "A stale lock",
    produced="the lock's file, left behind by a process that was killed, with a dead process's number in it",
    must="the next run takes no notice of it",
    promises="P3",
    cases=["empty", "12345"],
)
def test_a_stale_lock(settled, undisturbed, case):
    lock = settled.state.with_name(settled.state.name + ".lock")
    lock.write_text("" if case == "empty" else case)
    assert settled.call("run", "--all") == ("", "")
    settled.check_outputs(undisturbed.after)


@fault(
    "R10",
    "No process outlives a run",
    produced="SIGKILL and SIGTERM while children read documents",
    must="the children of the run end too",
    promises="P3",
    cases=["KILL", "TERM"],
)
def test_no_process_outlives_a_run(settled, case):
    settled.origin.asked.clear()
    released = hold(settled)
    process = settled.start("run", "--all")

    def children():
        return re.findall(rf"^{settled.root}$", _working_folders(), re.MULTILINE)

    wait_until(lambda: len(children()) > 1, "a child reads a document")
    process.send_signal(signal.Signals[f"SIG{case}"])
    process.communicate(timeout=60)
    released.set()
    wait_until(lambda: not children(), "the children end")


def children(world, process):
    """Those of a run that read documents."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            reads = b"spawn_main" in (folder / "cmdline").read_bytes()
            if reads and (folder / "cwd").readlink() == world.root:
                found.append(int(folder.name))
    return [number for number in found if number != process.pid]


def _working_folders():
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found.append(str((process / "cwd").readlink()))
    return "\n".join(found)


@fault(
    "R11",
    "The clock is set back a day",
    produced="a run a day before the one that was (stopped clock), then runs at the right time",
    must="nothing is lost or published twice; no entry's updated goes back; feeds are polled",
    promises="P3 P9 P10",
)
def test_the_clock_is_set_back_a_day(settled, undisturbed):
    before = updated(settled.files()["commons.atom"])
    settled.origin.asked.clear()
    assert settled.call("run", clock="2026-11-23T12:00") == ("", "")
    assert asked(settled)(), "what was polled in the future is due"
    settled.check_whole()
    now = updated(settled.files()["commons.atom"])
    assert now.keys() >= before.keys()
    assert all(now[id] >= at for id, at in before.items())
    settled.call("run", "--all")
    written = settled.files()
    settled.call("run", "--all")
    settled.check_outputs(written)
    assert sorted(updated(written["all.atom"])) == sorted(updated(undisturbed.after["all.atom"]))


@fault(
    "R12",
    "The clock runs a year ahead, and is set right",
    produced="a run a year later (stopped clock), then one at the right time",
    must="feeds are polled at once when the clock is right again; nothing that belongs to a tag is lost "
    "or published twice (what nobody asked for may have been pruned, as after a year)",
    promises="P3 P9",
)
def test_the_clock_runs_a_year_ahead(settled, undisturbed):
    settled.call("run", clock="2027-11-24T15:00")
    settled.origin.asked.clear()
    settled.call("run")
    assert all(asked(settled, f"/{number}")() for number, _ in enumerate(HOSTS))
    settled.check_whole()
    for name in ("commons.atom", "p2p.atom"):
        assert updated(settled.files()[name]).keys() == updated(undisturbed.after[name]).keys()
    written = settled.files()
    settled.call("run", "--all")
    settled.check_outputs(written)


@fault(
    "R13",
    "The real clock jumps",
    produced="faketime: a day back, a year ahead, and the hour that comes twice in Europe/Paris",
    must="a run works, and a second one changes nothing",
    promises="P3 P9",
    cases=["-1d", "+365d", "@2026-10-25 00:59:58", "@2027-03-28 00:59:58"],
)
def test_the_real_clock_jumps(world, case):
    faked = faketime(case, TZ="Europe/Paris")
    world.call("run", clock=None, env=faked)
    written = world.files()
    world.call("run", "--all", clock=None, env=faked)
    world.check_outputs(written)
    out, _ = world.call("status", "--json", clock=None, env=faked)
    (started,) = {row["last_success"][:10] for row in json.loads(out)}
    if case.startswith("@"):
        assert started in (case[1:11], "2026-10-24", "2027-03-27")  # the day in UTC


def updated(atom):
    """When each entry of a document was updated, by its id; no id stands in it twice."""
    entries = ElementTree.fromstring(atom).findall(f"{ATOM}entry")
    found = {e.findtext(f"{ATOM}id"): e.findtext(f"{ATOM}updated") for e in entries}
    assert len(found) == len(entries)
    return found


ATOM = "{http://www.w3.org/2005/Atom}"

# Surroundings in which cron, systemd and containers start programs.
BARE = {"PATH": os.environ["PATH"]}
LATIN5 = "tr_TR.ISO-8859-9"
SURROUNDINGS = {
    "nothing but PATH": {},
    "LC_ALL=C": {"LC_ALL": "C"},
    "LC_ALL=tr_TR.UTF-8": {"LC_ALL": "tr_TR.UTF-8"},
    f"LC_ALL={LATIN5}": {"LC_ALL": LATIN5},
    "TZ=Pacific/Apia": {"TZ": "Pacific/Apia"},
    "TERM=dumb, HOME that is not there": {"TERM": "dumb", "HOME": "/nowhere"},
    "PYTHONHASHSEED=1": {"PYTHONHASHSEED": "1"},
    "umask 077": {},
}


@fault(
    "R14",
    "Another environment",
    produced=f"{'; '.join(SURROUNDINGS)}, each without HOME and TERM, with tags in Arabic, Turkish and emoji",
    must="the same outputs under the same names, byte for byte; what commands print is readable",
    promises="P10",
    cases=list(SURROUNDINGS),
)
def test_another_environment(world, case, many_tongues):
    write_tongues(world)
    surroundings = SURROUNDINGS[case]
    if locale := surroundings.get("LC_ALL"):
        known = subprocess.run(["locale", "-a"], capture_output=True, text=True).stdout.lower()
        name = re.sub(r"-(?!.*_)", "", locale.lower())
        needs(locale == "C" or name in known, f"the locale {locale}")
    bare = BARE | surroundings
    settings = {"umask": 0o077} if case == "umask 077" else {}
    assert world.call("run", env=bare, **settings) == ("", "")
    assert "العربية.atom".encode() in os.listdir(os.fsencode(world.outputs))  # noqa: PTH208  # in bytes
    world.check_outputs(many_tongues)
    assert all(path.stat().st_mode & 0o444 == 0o444 for path in world.outputs.rglob("*.atom"))
    out, _ = world.call("tags", "--json", env=bare)
    assert {row["tag"] for row in json.loads(out)} >= set(TONGUES)


TONGUES = ["العربية", "Işık", "İstanbul", "🌱 growth", "日本"]


def write_tongues(world):
    world.prepare("".join(f'[tags."{tag}"]\nmatch = "commons"\n' for tag in TONGUES))


@pytest.fixture(scope="module")
def many_tongues(tmp_path_factory, publishers):
    """The outputs with tags in many scripts, made in the environment of the tests."""
    world = World(tmp_path_factory.mktemp("tongues"), publishers)
    write_tongues(world)
    world.publish(FIRST)
    world.call("run")
    return world.files()


@fault(
    "R15",
    "Standard streams are closed",
    produced="`<&-`, `>&-`, `2>&-` of a shell, one by one and all, of a run with something to tell",
    must="0, and the same outputs; nothing that would have been said ends up in a file",
    promises="P3 P4 P10",
    cases=["<&-", ">&-", "2>&-", "<&- >&- 2>&-"],
)
def test_standard_streams_are_closed(settled, undisturbed, case):
    closing = ["sh", "-c", f'exec "$@" {case}', "sh"]
    settled.call("-v", "run", "--all", before=closing)
    settled.check_outputs(undisturbed.after)
    settled.check_whole()
    settled.call("status", before=closing)


@fault(
    "R16",
    "Nobody can be told",
    produced="stdout and stderr on /dev/full; a reader that has gone away",
    must="the run is done all the same; no traceback",
    promises="P3 P4",
    cases=["/dev/full", "a pipe without a reader"],
)
def test_nobody_can_be_told(settled, undisturbed, case):
    if case == "/dev/full":
        where = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, where = os.pipe()
        os.close(reader)
    settled.call("-v", "run", "--all", "--json", stdout=where, stderr=where, code=None)
    os.close(where)
    settled.check_outputs(undisturbed.after)
    settled.check_whole()


LACKING = {
    "512 MB of memory": "",
    "64 open files": "",
    "16 open files": "too many open files",
    "no new process": "no new process or thread",
}


@fault(
    "R17",
    "Little of what a process may have",
    produced=f"{', '.join(LACKING)} (rlimits, strace), for a run with news",
    must="the run is done; or 3, with what is lacking and what to do, no traceback, and the next run "
    "completes it",
    promises="P2 P3 P4",
    cases=list(LACKING),
)
def test_little_of_what_a_process_may_have(settled, undisturbed, case):
    number = int("".join(filter(str.isdigit, case)) or 0)
    before = strace("-o", "/dev/null", "-e", "inject=fork,vfork,clone,clone3:error=EAGAIN")

    def limited():
        hear_interrupts()
        kind = resource.RLIMIT_NOFILE if "files" in case else resource.RLIMIT_AS
        most = number if "files" in case else number << 20
        if number:
            resource.setrlimit(kind, (most, most))

    said = settled.call(
        "run",
        "--all",
        code=3 if LACKING[case] else 0,
        preexec_fn=limited,
        before=() if number else before,
    )[1]
    assert LACKING[case] in said
    assert len(said.splitlines()) == bool(LACKING[case])
    check_old_or_new(settled, undisturbed.before, undisturbed.after)
    settled.call("run", "--all")
    settled.check_outputs(undisturbed.after)


@fault(
    "R18",
    "Certificates that cannot be read",
    produced="`SSL_CERT_FILE` names no file, a folder, and a file of something else",
    must="2, with the file and what to do; nobody is asked",
    promises="P2 P3 P4",
    cases=["/nowhere", "/", "feeds.toml"],
)
def test_certificates_that_cannot_be_read(settled, undisturbed, case):
    settled.origin.asked.clear()
    env = os.environ | {"SSL_CERT_FILE": case}
    _, said = settled.call("run", "--all", code=2, env=env)
    (line,) = said.splitlines()
    assert line.startswith(f"{case}: no certificates can be read there (")
    assert not settled.origin.asked
    settled.check_outputs(undisturbed.before)
    settled.call("run", "--all")
    settled.check_outputs(undisturbed.after)


DAMAGED = {
    "empty": lambda good: b"",
    "cut in a line": lambda good: good[: good.index(b"allow_private") + 20],
    "NUL bytes, as after a power cut": lambda good: bytes(len(good)),
    "UTF-16": lambda good: good.decode().encode("utf-16"),
    "Latin-1": lambda good: good + b"# \xe9t\xe9\n",
    "lists without end": lambda good: good + b"x = " + b"[" * 100_000,
    "numbers without end": lambda good: good + b"[publish]\nlive = " + b"9" * 100_000,
    "a folder": None,
    "a link to itself": None,
    "gone": None,
}


@fault(
    "R19",
    "A feeds.toml that cannot be read",
    produced=", ".join(DAMAGED),
    must="2, with one line that says what is wrong; nobody is asked, and no output changes",
    promises="P2 P3 P4",
    cases=list(DAMAGED),
)
def test_a_feeds_toml_that_cannot_be_read(settled, undisturbed, case):
    settled.origin.asked.clear()
    path = settled.root / "feeds.toml"
    good = path.read_bytes()
    path.unlink()
    if made := DAMAGED[case]:
        path.write_bytes(made(good))
    elif case == "a folder":
        path.mkdir()
    elif case == "a link to itself":
        path.symlink_to(path)
    (line,) = settled.call("run", "--all", code=2)[1].splitlines()
    assert line.startswith("feeds.toml:")
    assert len(line) < 200
    assert not settled.origin.asked
    settled.check_outputs(undisturbed.before)


@fault(
    "R20",
    "A child that reads documents is killed",
    produced="SIGKILL, as by a kernel that is short of memory: as it starts, and when it has nothing to do",
    must="another one reads the documents, and the run makes what a run makes that nothing disturbed",
    promises="P1 P2 P3",
    cases=["as it starts", "when it has nothing to do"],
)
def test_a_child_is_killed(settled, undisturbed, case):
    released = threading.Event()
    settled.origin["/0"] = Answer(settled.origin.answers["/0"], wait=lambda: released.wait(60))
    process = settled.start("run", "--all")
    wait_until(lambda: children(settled, process), "a child starts")
    time.sleep(1.5 if "nothing" in case else 0)
    for number in children(settled, process):
        os.kill(number, signal.SIGKILL)
    released.set()
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    settled.check_outputs(undisturbed.after)


@fault(
    "R21",
    "The working folder is gone",
    produced="it is removed before the program starts there, with and without `--config`",
    must="with it, the run is done; without, 2, since there is no feeds.toml",
    promises="P2 P3",
    cases=["with --config", "without"],
)
def test_the_working_folder_is_gone(settled, undisturbed, case):
    gone = ["sh", "-c", 'mkdir gone && cd gone && rmdir ../gone && exec "$@"', "sh"]
    if case == "without":
        (line,) = settled.call("run", code=2, before=gone)[1].splitlines()
        assert line.startswith("feeds.toml: no configuration here")
        settled.check_outputs(undisturbed.before)
        return
    config = str(settled.root / "feeds.toml")
    assert settled.call("--config", config, "run", "--all", before=gone) == ("", "")
    settled.check_outputs(undisturbed.after)
