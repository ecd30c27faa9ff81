"""``make bench``: all benchmarks, except ``python -m benchmarks.scaling``, which takes an hour.

``python -m benchmarks.scaling 1000 20000`` takes a minute.
"""

from benchmarks import machines, matching, outputs, politeness, runs, transport

transport.main()
runs.main()
outputs.main()
politeness.main()
matching.main()
machines.main(feeds=1000, hosts=100, workers=4)
