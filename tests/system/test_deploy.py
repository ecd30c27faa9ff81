"""What deploy/ and docs/operations.md say is so: commands, options, paths, variables."""

import re
import shlex
import tomllib
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from aggregator.cli import app
from aggregator.cluster.worker import SHUTDOWN_SECONDS

REPOSITORY = Path(__file__).resolve().parents[2]
DEPLOY = REPOSITORY / "deploy"
COMPOSE = (DEPLOY / "compose.yaml").read_text("utf-8")
CONTAINERFILE = (DEPLOY / "Containerfile").read_text("utf-8")
OPERATIONS = (REPOSITORY / "docs" / "operations.md").read_text("utf-8")
UNITS = sorted((DEPLOY / "systemd").glob("aggregator*"))
SERVICES = [path for path in UNITS if path.suffix == ".service"]


class Unit(ConfigParser):
    """Keys differ by their case; of several with one name the last counts."""

    def optionxform(self, optionstr):
        return optionstr


def unit(path):
    found = Unit(interpolation=None, strict=False, comment_prefixes=("#",))
    found.read_string(path.read_text("utf-8"))
    return found


def command_lines():
    for path in SERVICES:
        yield path.name, unit(path)["Service"]["ExecStart"].partition("aggregator ")[2]
    for line in re.findall(r"^    command: \[(.+)\]$", COMPOSE, re.MULTILINE):
        yield "compose.yaml", line.replace(",", "")
    for line in re.findall(r"`aggregator ([^`]+)`|^aggregator (.+)$", OPERATIONS, re.MULTILINE):
        yield "operations.md", "".join(line)


COMMAND_LINES = sorted(set(command_lines()))


@pytest.mark.parametrize(("where", "line"), COMMAND_LINES)
def test_every_command_line_is_understood(where, line):
    command: Any = get_command(app)
    words = shlex.split(line)
    while words and (words[0].startswith("-") or hasattr(command, "commands")):
        if words[0].startswith("-"):
            assert words[0] in options(command), line
            takes = options(command)[words.pop(0)]
            del words[:takes]
        else:
            assert words[0] in command.commands, line
            command = command.commands[words.pop(0)]
    for word in words:
        if word.startswith("-"):
            assert word in options(command), line


def options(command):
    """The options of a command, and how many words each takes."""
    found = {}
    for parameter in command.params:
        for name in (*parameter.opts, *parameter.secondary_opts):
            found[name] = 0 if getattr(parameter, "is_flag", False) else 1
    return found


def test_command_lines_are_found():
    assert {where for where, _ in COMMAND_LINES} == {
        *(path.name for path in SERVICES), "compose.yaml", "operations.md",
    }  # fmt: skip


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_services_are_confined(path):
    service = unit(path)["Service"]
    assert service["User"] == "aggregator"
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"
    assert not service["CapabilityBoundingSet"]
    assert service.get("KillMode") == "mixed" or "schedule" in path.name


def test_timer_starts_the_run():
    assert unit(DEPLOY / "systemd" / "aggregator.timer")["Timer"]["OnCalendar"]
    assert (DEPLOY / "systemd" / "aggregator.service").exists()


def test_workers_have_the_time_that_they_give_their_jobs():
    service = unit(DEPLOY / "systemd" / "aggregator-worker@.service")["Service"]
    assert float(service["TimeoutStopSec"]) > SHUTDOWN_SECONDS + 10
    grace = re.search(r"stop_grace_period: (\d+)s  #", COMPOSE)
    assert grace and float(grace[1]) > SHUTDOWN_SECONDS + 10


def test_compose_file_has_each_service_once_and_looks_after_all():
    """A light check, for a parser of YAML is not among what we develop with."""
    assert "\t" not in COMPOSE
    services = COMPOSE.partition("\nservices:\n")[2].partition("\nvolumes:\n")[0]
    assert re.findall(r"^  (\w+):$", services, re.MULTILINE) == [
        "worker", "schedule", "web", "database",
    ]  # fmt: skip
    assert services.count("<<: *program") == 3
    for needed in ("read_only: true", "cap_drop: [ALL]", "no-new-privileges:true", "healthcheck:"):
        assert needed in COMPOSE.partition("\nservices:\n")[0]


def test_variables_of_the_compose_file_are_told():
    told = re.findall(r"^(\w+)=", (DEPLOY / "env.example").read_text("utf-8"), re.MULTILINE)
    assert set(re.findall(r"\$\{(\w+)", COMPOSE)) == set(told)


def test_image_is_made_of_what_is_here_and_runs_as_nobody_in_particular():
    copied = re.findall(r"^COPY (?!--)(.+) \S+$", CONTAINERFILE, re.MULTILINE)
    for name in " ".join(copied).split():
        assert (REPOSITORY / name).exists(), name
    assert "--require-hashes" in CONTAINERFILE
    assert re.search(r"^USER \d+:\d+$", CONTAINERFILE, re.MULTILINE)


def pins(name):
    text = (REPOSITORY / name).read_text("utf-8")
    return dict(re.findall(r"^([\w.-]+)(?:\[[^]]*\])?==([^ ;\\]+)", text, re.MULTILINE))


def test_image_has_the_versions_that_are_tested_and_every_extra_that_it_needs():
    image, tested = pins("deploy/requirements.lock"), pins("requirements-dev.lock")
    assert image.items() <= tested.items()
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    for extra in ("postgres", "s3", "serve"):
        for needed in project["optional-dependencies"][extra]:
            assert re.split(r"[>=<\[]", needed)[0] in image


def test_paths_that_the_pages_name_exist():
    for page in (REPOSITORY / "README.md", REPOSITORY / "docs" / "operations.md"):
        for path in re.findall(r"(?<![\w/.])deploy/[\w@./-]+", page.read_text("utf-8")):
            if path != "deploy/.env":
                assert (REPOSITORY / path.rstrip(".")).exists(), path
