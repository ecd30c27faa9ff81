"""Asking publishers, politely and guarded: `poller` and `client` do; the rest decides."""
