"""The commands, options, paths and variables in deploy/ and docs/operations.md exist."""

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
    """A systemd unit. Keys are case-sensitive; the last of several equal keys counts."""

    def optionxform(self, optionstr):
        return optionstr


def unit(path):
    parser = Unit(interpolation=None, strict=False, comment_prefixes=("#",))
    parser.read_string(path.read_text("utf-8"))
    return parser


def command_lines():
    for path in SERVICES:
        yield path.name, unit(path)["Service"]["ExecStart"].partition("aggregator ")[2]
    for line in re.findall(r"^    command: \[(.+)\]$", COMPOSE, re.MULTILINE):
        yield "compose.yaml", line.replace(",", "")
    for line in re.findall(r"`aggregator ([^`]+)`|^aggregator (.+)$", OPERATIONS, re.MULTILINE):
        yield "operations.md", "".join(line)


COMMAND_LINES = sorted(set(command_lines()))


@pytest.mark.parametrize(("where", "line"), COMMAND_LINES)
def test_command_lines_are_valid(where, line):
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
    """The options of a command, and the number of words that each takes."""
    counts = {}
    for parameter in command.params:
        for name in (*parameter.opts, *parameter.secondary_opts):
            counts[name] = 0 if getattr(parameter, "is_flag", False) else 1
    return counts


def test_command_lines_come_from_all_files():
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


def test_workers_may_finish_their_jobs():
    service = unit(DEPLOY / "systemd" / "aggregator-worker@.service")["Service"]
    assert float(service["TimeoutStopSec"]) > SHUTDOWN_SECONDS + 10
    grace = re.search(r"stop_grace_period: (\d+)s  #", COMPOSE)
    assert grace and float(grace[1]) > SHUTDOWN_SECONDS + 10


def test_compose_file_has_each_service_once_and_confined():
    """A simple check without a YAML parser, which is not among our development packages."""
    assert "\t" not in COMPOSE
    services = COMPOSE.partition("\nservices:\n")[2].partition("\nvolumes:\n")[0]
    assert re.findall(r"^  (\w+):$", services, re.MULTILINE) == [
        "worker", "schedule", "web", "database",
    ]  # fmt: skip
    assert services.count("<<: *program") == 3
    for needed in ("read_only: true", "cap_drop: [ALL]", "no-new-privileges:true", "healthcheck:"):
        assert needed in COMPOSE.partition("\nservices:\n")[0]


def test_variables_of_compose_file_are_in_env_example():
    variables = re.findall(r"^(\w+)=", (DEPLOY / "env.example").read_text("utf-8"), re.MULTILINE)
    assert set(re.findall(r"\$\{(\w+)", COMPOSE)) == set(variables)


def test_image_copies_existing_files_and_runs_without_root():
    copied = re.findall(r"^COPY (?!--)(.+) \S+$", CONTAINERFILE, re.MULTILINE)
    for name in " ".join(copied).split():
        assert (REPOSITORY / name).exists(), name
    assert "--require-hashes" in CONTAINERFILE
    assert re.search(r"^USER \d+:\d+$", CONTAINERFILE, re.MULTILINE)


def pins(name):
    text = (REPOSITORY / name).read_text("utf-8")
    return dict(re.findall(r"^([\w.-]+)(?:\[[^]]*\])?==([^ ;\\]+)", text, re.MULTILINE))


def test_image_has_tested_versions_and_needed_extras():
    image, tested = pins("deploy/requirements.lock"), pins("requirements-dev.lock")
    assert image.items() <= tested.items()
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    for extra in ("postgres", "s3", "serve"):
        for needed in project["optional-dependencies"][extra]:
            assert re.split(r"[>=<\[]", needed)[0] in image


def test_paths_in_documents_exist():
    for page in (REPOSITORY / "README.md", REPOSITORY / "docs" / "operations.md"):
        for path in re.findall(r"(?<![\w/.])deploy/[\w@./-]+", page.read_text("utf-8")):
            if path != "deploy/.env":
                assert (REPOSITORY / path.rstrip(".")).exists(), path
