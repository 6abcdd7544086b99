"""A private mongod and redis-server for a user who has none.

A *keeper* process owns the two servers; they run exactly as long as somebody uses them, and all
they write lies in one data directory, which may be moved between runs.
"""

from app.embedded.directory import EmbeddedServersError
from app.embedded.join import EmbeddedServers, join_servers

__all__ = ["EmbeddedServers", "EmbeddedServersError", "join_servers"]
