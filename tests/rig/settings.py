"""What a sidecar is told: its command line, its Configuration and its environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rig.environment import clean_environment
from rig.ports import HOST, free_port

__all__ = ["SidecarSettings"]

# Daprd's default; a shorter one lets names lapse on a loaded machine.
# A sidecar that was killed, and could not take its name back, is found for as long.
NAMES_UPDATE_INTERVAL = "5s"


@dataclass(frozen=True, kw_only=True)
class SidecarSettings:
    """
    How to run a sidecar; its ports are chosen with the settings, so an app can be told them first.

    Sidecars with the same `folder` find each other's apps by name.
    """

    app_id: str
    folder: Path  # for the log, the Configuration and the database of names
    instance: str = ""  # tells apart the files of sidecars that have one app id
    app_port: int | None = None  # None: a sidecar that only calls
    app_health_check: bool = False
    app_token: str = ""  # what the sidecar shows to the app
    api_token: str = ""  # what callers must show to the sidecar
    resources: Path | None = None  # a folder of components, subscriptions and resiliency policies
    max_body_bytes: int | None = None  # None: daprd's own limit, 4 MiB
    scheduler_port: int | None = None
    placement_port: int | None = None
    configuration: Mapping[str, object] = field(default_factory=dict)  # added to the Configuration's spec
    arguments: Sequence[str] = ()  # further flags of daprd
    env: Mapping[str, str] = field(default_factory=dict)  # further environment of daprd
    http_port: int = field(default_factory=free_port)
    grpc_port: int = field(default_factory=free_port)
    internal_port: int = field(default_factory=free_port)

    @property
    def log_file(self) -> Path:
        """The file that the sidecar's log is appended to."""
        return self.folder / f"{self.app_id}{self.instance}.log"

    @property
    def configuration_file(self) -> Path:
        """The file that the sidecar's Configuration is written to."""
        return self.folder / f"{self.app_id}{self.instance}.yaml"

    @property
    def app_environment(self) -> dict[str, str]:
        """What `dapr run` sets for the app beside the sidecar; also for programs that call through it."""
        known = {
            "APP_ID": self.app_id,
            "APP_PORT": str(self.app_port or ""),
            "APP_API_TOKEN": self.app_token,
            "DAPR_HTTP_PORT": str(self.http_port),
            "DAPR_GRPC_PORT": str(self.grpc_port),
            "DAPR_API_TOKEN": self.api_token,
        }
        return {key: value for key, value in known.items() if value}

    def sidecar_environment(self) -> dict[str, str]:
        """Return the environment for daprd itself."""
        tokens = {"APP_API_TOKEN": self.app_token, "DAPR_API_TOKEN": self.api_token}
        given = {key: token for key, token in tokens.items() if token}
        # Not told its address, daprd asks the network for one, and ends where there is only loopback.
        return clean_environment({"DAPR_HOST_IP": HOST, **given, **self.env})

    def flags(self) -> list[str]:
        """Return daprd's command line: all on loopback, nothing of the control plane that wasn't named."""
        valued = {
            "app-id": self.app_id,
            "app-protocol": "grpc",
            "app-port": self.app_port,
            "config": self.configuration_file,
            "resources-path": self.resources,
            "dapr-listen-addresses": HOST,
            "dapr-http-port": self.http_port,
            "dapr-grpc-port": self.grpc_port,
            "dapr-internal-grpc-listen-address": HOST,
            "dapr-internal-grpc-port": self.internal_port,
            "enable-metrics": "false",
            "enable-app-health-check": str(self.app_health_check).lower(),
            "max-body-size": self.max_body_bytes,
            "scheduler-host-address": self.scheduler_port and f"{HOST}:{self.scheduler_port}",
            "placement-host-address": self.placement_port and f"{HOST}:{self.placement_port}",
        }
        given = [f"--{flag}={value}" for flag, value in valued.items() if value is not None]
        return [*given, *self.arguments]

    def configuration_resource(self) -> dict[str, object]:
        """Return the Configuration, in which names come from a database that needs no multicast."""
        names = {
            "connectionString": str(self.folder.resolve() / "names.db"),
            "updateInterval": NAMES_UPDATE_INTERVAL,
        }
        spec = {
            "tracing": {"samplingRate": "0"},
            "nameResolution": {"component": "sqlite", "version": "v1", "configuration": names},
            **self.configuration,
        }
        return {
            "apiVersion": "dapr.io/v1alpha1",
            "kind": "Configuration",
            "metadata": {"name": self.app_id},
            "spec": spec,
        }
