"""Files on disk: atomic writes, compression, locks."""
