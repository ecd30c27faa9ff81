"""``make bench``: every benchmark in turn, but for that which takes an hour: ``python -m
benchmarks.scaling`` (or, in a minute, ``python -m benchmarks.scaling 1000 20000``)."""

from benchmarks import machines, matching, outputs, politeness, runs, transport

transport.main()
runs.main()
outputs.main()
politeness.main()
matching.main()
machines.main(feeds=1000, hosts=100, workers=4)
