"""Requests to publishers, polite and guarded. Only `client` and `poller` do input and output."""
