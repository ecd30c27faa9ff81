"""docs/tour.md names files and functions that exist, in at most 40 steps."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOUR = (ROOT / "docs/tour.md").read_text(encoding="utf-8")
PLACES = re.findall(r"`([\w/]+\.py)`\s+`([\w.]+)`", TOUR)


def test_tour_has_at_most_40_numbered_steps():
    numbers = [int(number) for number in re.findall(r"^(\d+)\. ", TOUR, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert 20 <= len(numbers) <= 40
    steps = re.split(r"^\d+\. ", TOUR, flags=re.MULTILINE)[1:]
    assert all(re.search(r"`[\w/]+\.py`\s+`\w", step) for step in steps)


@pytest.mark.parametrize(("file", "name"), PLACES)
def test_each_function_of_the_tour_exists(file, name):
    scope = ast.parse((ROOT / "aggregator" / file).read_text(encoding="utf-8")).body
    for part in name.split("."):
        definitions = {
            node.name: node.body
            for node in scope
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert part in definitions, f"{file} has no {name}"
        scope = definitions[part]
