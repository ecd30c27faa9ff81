"""``python -m tests.fuzz TARGET [SECONDS]``: look for bytes that break a target (`make fuzz`).

What reaches new lines is kept in .fuzz/TARGET, for the next time; an input that breaks the target
is written beside it, and told. The real feeds of ../shared, where they are, are seeds too.
"""

import sys
from pathlib import Path

import atheris

from tests.shared import SHARED

_CORPUS = Path(__file__).with_name("corpus")
_FOUND = Path(".fuzz")
_MORE = {"documents": ["corpus/feeds", "corpus/odd"], "pages": ["corpus/odd"]}
_MOST_BYTES = 65536
_SLOW_SECONDS = 10  # of an input; watched lines are several times slower than others


def main() -> None:
    """Fuzz; never returns."""
    target, seconds = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "60"
    with atheris.instrument_imports(include=["aggregator", "feedparser", "listparser", "tomlkit"]):
        from tests.fuzz.targets import TARGETS
    found = _FOUND / target
    found.mkdir(parents=True, exist_ok=True)
    seeds = [_CORPUS / target, *(SHARED / folder for folder in _MORE.get(target, ()))]
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={_MOST_BYTES}",
        f"-timeout={_SLOW_SECONDS}",
        f"-artifact_prefix={_FOUND}/{target}-",
        f"-dict={Path(__file__).with_name('words.dict')}",
        "-print_final_stats=1",
    ]
    folders = [str(folder) for folder in (found, *seeds) if folder.is_dir()]
    atheris.Setup([sys.argv[0], *options, *folders], TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
