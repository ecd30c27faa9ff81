"""Where the time of a run goes, stage by stage. Pure: the clocks come in."""

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
    """Charges every moment to one stage: of stages within stages, to the innermost.

    ``wall`` is a clock, ``cpu`` tells the processor time of this process since it began: what went
    before the first stage is the stage "start". Without clocks it counts only.
    """

    def __init__(self, wall: Clock = lambda: 0.0, cpu: Clock = lambda: 0.0) -> None:
        self._wall, self._cpu = wall, cpu
        self._costs: dict[str, _Cost] = {"start": _Cost()}
        self._open = ["start"]
        # The process began its processor time ago at least: nothing before us has waited long.
        self._last = wall() - cpu(), 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """All that happens within is this stage's, but for stages in it."""
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
        """What else a stage cost: in other processes, in bytes, in entries."""
        cost = self._costs.setdefault(name, _Cost())
        cost.wall += wall
        cost.cpu += cpu
        cost.size += size
        cost.entries += entries

    def costs(self) -> tuple[StageCost, ...]:
        """Every stage in the order of its first time."""
        self._charge()
        return tuple(
            StageCost(name, round(c.wall, 4), round(c.cpu, 4), c.size, c.entries)
            for name, c in self._costs.items()
        )
