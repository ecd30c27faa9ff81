"""``python -m tests.fuzz TARGET [SECONDS]``: search for inputs that break a target (`make fuzz`).

Inputs that reach new lines are saved in .fuzz/TARGET for the next time. An input that breaks the
target is saved beside that folder and reported. The real feeds of ../shared, if present, are seeds.
"""

import sys
from pathlib import Path

import atheris

from tests.shared import SHARED

_CORPUS = Path(__file__).with_name("corpus")
_FUZZ = Path(".fuzz")
_MORE_SEEDS = {"documents": ["corpus/feeds", "corpus/odd"], "pages": ["corpus/odd"]}
_MAX_BYTES = 65536
_SLOW_SECONDS = 10  # per input; instrumented code is several times slower


def main() -> None:
    """Fuzz; never returns."""
    target, seconds = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "60"
    with atheris.instrument_imports(include=["aggregator", "feedparser", "tomlkit"]):
        from tests.fuzz.targets import TARGETS
    saved = _FUZZ / target
    saved.mkdir(parents=True, exist_ok=True)
    seeds = [_CORPUS / target, *(SHARED / folder for folder in _MORE_SEEDS.get(target, ()))]
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={_MAX_BYTES}",
        f"-timeout={_SLOW_SECONDS}",
        f"-artifact_prefix={_FUZZ}/{target}-",
        f"-dict={Path(__file__).with_name('words.dict')}",
        "-print_final_stats=1",
    ]
    folders = [str(folder) for folder in (saved, *seeds) if folder.is_dir()]
    atheris.Setup([sys.argv[0], *options, *folders], TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
