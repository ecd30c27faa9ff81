"""The demonstration: a small site of feeds on this machine, and a project that polls it."""

from aggregator.demo.demo_project import Demo

__all__ = ["Demo"]
