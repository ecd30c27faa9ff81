"""``make bench``: every benchmark in turn."""

from benchmarks import politeness, runs, transport

transport.main()
runs.main()
politeness.main()
