"""Real programs for tests to talk to: our server, a Dapr sidecar, Redis; each an async context."""

from rig.daprd import Daprd, Reply, find_daprd
from rig.ports import free_port
from rig.processes import Child, ChildError, Lines, child
from rig.redis import redis
from rig.server import Server, installed_command, serve
from rig.skip import missing, need

__all__ = [
    "Child",
    "ChildError",
    "Daprd",
    "Lines",
    "Reply",
    "Server",
    "child",
    "find_daprd",
    "free_port",
    "installed_command",
    "missing",
    "need",
    "redis",
    "serve",
]
