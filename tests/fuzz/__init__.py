"""What strangers and slips of the pen may send us, as bytes that a fuzzer makes.

`targets` says for each reader of ours what must hold on any bytes; `test_targets` holds it on the
kept corpus, and on what hypothesis makes of it; ``make fuzz`` looks for bytes that break it, by
Atheris, which sees which lines each input reaches. What it finds belongs into the corpus.
"""
