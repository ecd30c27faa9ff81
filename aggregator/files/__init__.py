"""Files on disk: atomic writes, compression, the run lock."""
