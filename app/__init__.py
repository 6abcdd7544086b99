"""The todo service: everything but the HTTP handlers."""

__version__ = "0.1.0"
