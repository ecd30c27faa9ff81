"""The faults that an aggregator meets in ten years of service, each produced for real.

    catalogue   the table: each fault, how it is produced, and the expected behaviour
    program     the program with a stopped clock
    world       an installation and its publishers
    helpers     strace, faketime, small disks: tools that produce faults
    test_*      the tests, one file for each kind of fault; each test declares its row of the table

``python -m tests.faults`` writes docs/faults.md from the table.
"""
