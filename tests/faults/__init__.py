"""The faults that an aggregator meets in ten years, each produced for real.

    catalogue   the table: what each fault is, how it is produced, what must happen
    program     the program under a clock that stands still
    world       an installation, its publishers, and a run of it that nothing disturbed
    means       strace, faketime, small disks: what produces faults
    test_*      the tests, a file for each kind of fault; each test carries its row of the table

``python -m tests.faults`` writes docs/faults.md from the table.
"""
