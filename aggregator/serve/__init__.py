"""Serves the outputs over HTTP, and any query as a feed. Needs the extra ``serve``."""

from aggregator.serve.app import make_application, serve

__all__ = ["make_application", "serve"]
