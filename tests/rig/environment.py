"""The environment that the rig's children start with."""

from __future__ import annotations

import os
from collections.abc import Mapping

__all__ = ["clean_environment"]

# What `dapr run` sets in a person's shell, or a person for their own sidecar.
FOREIGN = ("APP_", "DAPR_")


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment without what belongs to another sidecar or app, plus `extra`."""
    own = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
    return {**own, **extra}
