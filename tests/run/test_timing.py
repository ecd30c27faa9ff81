"""Each part of a run's time counts for one stage."""

from aggregator.model import StageCost
from aggregator.run.timing import StageTimer


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_time_counts_for_innermost_stage():
    wall, cpu = Clock(), Clock()
    wall.now, cpu.now = 100.0, 2.0  # starting the process took two seconds
    timer = StageTimer(wall, cpu)
    with timer.stage("fetch"):
        wall.now += 3
        with timer.stage("store"):
            wall.now += 1
            cpu.now += 0.5
        cpu.now += 0.25
    with timer.stage("store"):
        wall.now += 1
    timer.add("store", entries=5, size=7)
    timer.add("parse", wall=9, cpu=8)
    assert timer.costs() == (
        StageCost("start", 2.0, 2.0),
        StageCost("fetch", 3.0, 0.25),
        StageCost("store", 2.0, 0.5, 7, 5),
        StageCost("parse", 9, 8),
    )


def test_time_of_failed_stage_counts():
    wall = Clock()
    timer = StageTimer(wall)
    try:
        with timer.stage("fetch"):
            wall.now += 3
            raise ValueError
    except ValueError:
        wall.now += 1
    assert [(cost.stage, cost.wall_seconds) for cost in timer.costs()] == [
        ("start", 1.0),
        ("fetch", 3.0),
    ]
