"""
The function's manifest: every key of ``function.toml``, with its type, default and meaning.

These definitions are the single source: the checks, the JSON schema and the suggestions in errors all
come from them.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Annotated

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic.dataclasses import dataclass

from wasm_grpc.core.model import GuestKind, Limits, PoolPolicy, ResponseKind, ReuseKind
from wasm_grpc.manifest.capabilities import Capabilities
from wasm_grpc.manifest.checks import TABLE, wrong
from wasm_grpc.manifest.keys import (
    Argument,
    Arguments,
    EngineChoice,
    FunctionName,
    MediaType,
    ModuleReference,
    SecretName,
    Sha256,
    Text,
    VariableName,
)
from wasm_grpc.manifest.quantities import (
    BodySize,
    Count,
    Duration,
    MemorySize,
    OptionalDuration,
    OutputSize,
    PositiveCount,
    ScratchSize,
    StderrSize,
    Timeout,
    Wait,
)
from wasm_grpc.manifest.triggers import Triggers

__all__ = ["FunctionManifest", "LimitsTable", "OutcomePolicy", "PoolTable", "Retry", "Secret"]

_LIMITS = Limits()
_POOL = PoolPolicy()


@dataclass(frozen=True, slots=True, kw_only=True, config=TABLE)
class Secret:
    """
    A secret as the value of an environment variable, read through Dapr at start.
    """

    secret: SecretName = Field(description="The secret as '<store>/<name>'.", examples=["local-store/DB_URL"])
    key: Text | None = Field(
        default=None, description="Key of one entry, if the secret has several.", examples=["password"]
    )

    @property
    def store(self) -> str:
        """
        The secret store component.
        """
        return self.secret.partition("/")[0]

    @property
    def name(self) -> str:
        """
        The secret's name in its store.
        """
        return self.secret.partition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True, config=TABLE)
class LimitsTable(Limits):
    """
    `Limits` with the names and units of ``[limits]``.
    """

    timeout_s: Timeout = Field(
        default=_LIMITS.timeout_s, alias="timeout", description="Wall time from the guest's start."
    )
    cpu_s: OptionalDuration = Field(
        default=_LIMITS.cpu_s, alias="cpu", description="CPU time of one invocation; unlimited by default."
    )
    queue_wait_s: Wait = Field(
        default=_LIMITS.queue_wait_s, alias="queue_wait", description="Longest wait for a worker."
    )
    idle_timeout_s: Duration = Field(
        default=_LIMITS.idle_timeout_s,
        alias="idle_timeout",
        description="Longest wait between two chunks of a stream.",
    )
    memory_bytes: MemorySize = Field(
        default=_LIMITS.memory_bytes, alias="memory", description="Linear memory, in whole pages of 64 KiB."
    )
    output_bytes: OutputSize = Field(
        default=_LIMITS.output_bytes,
        alias="output",
        description="Largest result that the guest may write.",
    )
    body_bytes: BodySize = Field(
        default=_LIMITS.body_bytes, alias="body", description="Largest body of a request."
    )
    stderr_bytes: StderrSize = Field(
        default=_LIMITS.stderr_bytes, alias="stderr", description="How much of standard error is kept."
    )
    scratch_bytes: ScratchSize = Field(
        default=_LIMITS.scratch_bytes, alias="scratch", description="Size of /tmp; 0 means no /tmp."
    )
    host_calls: Count = Field(
        default=_LIMITS.host_calls, description="Limit on calls to Dapr in one invocation."
    )
    dapr_timeout_s: OptionalDuration = Field(
        default=_LIMITS.dapr_timeout_s,
        alias="dapr_timeout",
        description="Longest wait for the answer to one call to Dapr; by default the rest of the timeout.",
    )


@dataclass(frozen=True, slots=True, kw_only=True, config=TABLE)
class PoolTable(PoolPolicy):
    """
    `PoolPolicy` with the names of ``[pool]``.
    """

    min: Count = Field(default=_POOL.min, description="Instances kept ready; 0 keeps none.")
    max: PositiveCount | None = Field(
        default=_POOL.max, description="Concurrent invocations; by default the server's run slots."
    )
    queue: Count = Field(default=_POOL.queue, description="Invocations that may wait in the queue.")
    reuse: ReuseKind = Field(
        default=_POOL.reuse, description="Whether an instance serves one invocation (fresh) or many (warm)."
    )
    max_invocations: PositiveCount = Field(
        default=_POOL.max_invocations, description="Invocations after which a warm instance retires."
    )

    @model_validator(mode="after")
    def _check_range(self) -> PoolTable:
        if self.max is not None and self.min > self.max:
            raise wrong(f"{self.min} is more than pool.max", f"at most {self.max}", key="min")
        return self


class Retry(str, enum.Enum):
    """
    What Dapr does with a message after a failure.
    """

    RETRY = "retry"
    DROP = "drop"


@dataclass(frozen=True, slots=True, kw_only=True, config=TABLE)
class OutcomePolicy:
    """
    What Dapr does with a message after each kind of failure (``[outcome]``).
    """

    rejected: Retry = Field(default=Retry.DROP, description="The guest rejected its input.")
    failed: Retry = Field(default=Retry.DROP, description="Non-zero exit or trap.")
    timeout: Retry = Field(default=Retry.RETRY, description="A time limit was reached.")
    overloaded: Retry = Field(default=Retry.RETRY, description="The queue was full, or the wait too long.")
    denied: Retry = Field(
        default=Retry.DROP, description="The guest asked for something that wasn't granted."
    )
    crash: Retry = Field(default=Retry.RETRY, description="The worker died while running it.")
    then_failed: Retry = Field(
        default=Retry.RETRY,
        description="The result, or what the guest left to send to Dapr, could not be published or stored.",
    )


def _variable_tag(value: object) -> str:
    return "<secret>" if isinstance(value, (dict, Secret)) else "<text>"


_Variable = Annotated[
    Annotated[Argument, Tag("<text>")] | Annotated[Secret, Tag("<secret>")], Discriminator(_variable_tag)
]


@dataclass(frozen=True, slots=True, kw_only=True, config=TABLE)
class FunctionManifest:
    """
    One function as its author declares it. The attributes are the keys of ``function.toml``.

    Durations are in seconds, sizes in bytes. None means "unlimited" or an absent key.
    """

    name: FunctionName = Field(description="The function's name.", examples=["grayscale"])
    module: ModuleReference = Field(
        description="The WebAssembly module, a file below the function's folder.", examples=["grayscale.wasm"]
    )
    sha256: Sha256 | None = Field(default=None, description="SHA-256 digest that the module must have.")
    guest: GuestKind = Field(default=GuestKind.WASI_COMMAND, description="How the module is called.")
    engine: EngineChoice = Field(default=None, description="Engine that runs the module; 'auto' chooses one.")
    args: Arguments = Field(
        default=(),
        description="The guest's arguments, without its name; 'query' passes the parts of the query.",
    )
    response: ResponseKind = Field(
        default=ResponseKind.RAW, description="How standard output becomes the reply."
    )
    content_type: MediaType | None = Field(
        default=None, description="Content type of the result, if the guest gives none."
    )
    env: Mapping[VariableName, _Variable] = Field(
        default_factory=dict, description="Environment variables: strings or secrets."
    )
    limits: LimitsTable = Field(default=LimitsTable(), description="Hard limits.")
    pool: PoolTable = Field(
        default=PoolTable(), description="How many invocations run and wait on this server."
    )
    trigger: Triggers = Field(
        description="What calls the function: a line [[trigger.invoke]] and below it method = '<name>'."
    )
    capabilities: Capabilities = Field(default=Capabilities(), description="What the function may access.")
    outcome: OutcomePolicy = Field(
        default=OutcomePolicy(), description="What Dapr does with a message after a failure."
    )

    @model_validator(mode="after")
    def _check_reuse(self) -> FunctionManifest:
        if self.pool.reuse is ReuseKind.WARM and self.guest is GuestKind.WASI_COMMAND:
            raise wrong(
                "'warm' needs a guest that survives a call", "'fresh' for wasi-command", key="pool.reuse"
            )
        return self
