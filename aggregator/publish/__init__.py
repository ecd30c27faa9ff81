"""Stories -> the bytes of output files, and those onto the disk."""
