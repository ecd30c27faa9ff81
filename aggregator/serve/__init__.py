"""The outputs over HTTP, and feeds on demand. Needs the extra ``serve`` (Starlette, uvicorn)."""

from aggregator.serve.app import application, serve

__all__ = ["application", "serve"]
