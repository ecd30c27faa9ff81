"""One run: the only folder in which the stages meet."""
