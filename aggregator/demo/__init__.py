"""The demonstration: a project and its publishers, on this machine."""

from aggregator.demo.demo_project import open_demo

__all__ = ["open_demo"]
