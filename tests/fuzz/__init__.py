"""Fuzzing of everything that parses untrusted bytes.

`targets` has the invariants of each parser. `test_targets` checks them on the corpus and on what
Hypothesis makes of it. ``make fuzz`` searches for inputs that violate them, with Atheris, which is
guided by line coverage. Add what it finds to the corpus.
"""
