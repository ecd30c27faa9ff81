"""``make bench``: every benchmark in turn."""

from benchmarks import runs, transport

transport.main()
runs.main()
