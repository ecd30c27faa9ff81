"""``make bench``: every benchmark in turn."""

from benchmarks import matching, outputs, politeness, runs, transport

transport.main()
runs.main()
outputs.main()
politeness.main()
matching.main()
