"""How long each stage of a run takes. Pure: the clocks are arguments."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from aggregator.model import StageCost

Clock = Callable[[], float]  # seconds


@dataclass(slots=True)
class _Cost:
    wall: float = 0.0
    cpu: float = 0.0
    size: int = 0
    entries: int = 0


class StageTimer:
    """Charges time to the innermost open stage.

    ``wall`` and ``cpu`` return seconds; ``cpu`` counts from the start of the process. Time before the
    first stage belongs to the stage "start". Without clocks only sizes and entries are counted.
    """

    def __init__(self, wall: Clock = lambda: 0.0, cpu: Clock = lambda: 0.0) -> None:
        self._wall, self._cpu = wall, cpu
        self._costs: dict[str, _Cost] = {"start": _Cost()}
        self._open = ["start"]
        # The process started at least its CPU time ago, and has hardly waited so far.
        self._last = wall() - cpu(), 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Charge the time of the block to this stage, except for stages inside it."""
        self._charge()
        self._costs.setdefault(name, _Cost())
        self._open.append(name)
        try:
            yield
        finally:
            self._charge()
            self._open.pop()

    def _charge(self) -> None:
        now = self._wall(), self._cpu()
        cost = self._costs[self._open[-1]]
        cost.wall += now[0] - self._last[0]
        cost.cpu += now[1] - self._last[1]
        self._last = now

    def add(
        self, name: str, *, wall: float = 0.0, cpu: float = 0.0, size: int = 0, entries: int = 0
    ) -> None:
        """Add costs: seconds in other processes, bytes, entries."""
        cost = self._costs.setdefault(name, _Cost())
        cost.wall += wall
        cost.cpu += cpu
        cost.size += size
        cost.entries += entries

    def costs(self) -> tuple[StageCost, ...]:
        """The cost of each stage, in the order in which the stages first ran."""
        self._charge()
        return tuple(
            StageCost(name, round(c.wall, 4), round(c.cpu, 4), c.size, c.entries)
            for name, c in self._costs.items()
        )
