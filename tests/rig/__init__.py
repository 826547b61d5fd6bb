"""Real programs for tests to talk to: our server, a Dapr sidecar, Redis, PostgreSQL, a broker; each an async context."""

from rig.broker import PUBSUB, Broker, broker
from rig.daprd import Daprd, Reply, find_daprd
from rig.ports import free_port
from rig.postgres import Postgres, postgres
from rig.processes import Child, ChildError, Lines, child
from rig.redis import redis
from rig.scheduler import scheduler
from rig.server import Server, installed_command, serve
from rig.skip import missing, need

__all__ = [
    "PUBSUB",
    "Broker",
    "Child",
    "ChildError",
    "Daprd",
    "Lines",
    "Postgres",
    "Reply",
    "Server",
    "broker",
    "child",
    "find_daprd",
    "free_port",
    "installed_command",
    "missing",
    "need",
    "postgres",
    "redis",
    "scheduler",
    "serve",
]
