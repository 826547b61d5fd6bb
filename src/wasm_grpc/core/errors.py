"""
Every error that crosses a room's border, sorted by whose fault it is.

``WasmGrpcError`` is the root. Below it:

* ``ConfigError``: the person who wrote a flag, a manifest or a module is asked to mend it.
* ``HostError``: this machine lacks something (an engine, a port, a file).
* ``InvocationError``: one invocation ended without a result; the ``reason`` says how, and
  ``server.status`` alone turns it into a gRPC status.
"""

from __future__ import annotations

from collections.abc import Sequence

from wasm_grpc.core.model import Reason

__all__ = [
    "CompileLimitError",
    "ConfigError",
    "EngineUnavailableError",
    "GuestStatusError",
    "HostError",
    "InferenceUnavailableError",
    "InvocationError",
    "ManifestError",
    "ModelError",
    "ModuleError",
    "PortInUseError",
    "ProtocolError",
    "SidecarError",
    "UnsupportedModelError",
    "UnsupportedModuleError",
    "WasmGrpcError",
    "WorkerStartError",
]


class WasmGrpcError(Exception):
    """
    Root of the tree; its text is one line that a person can act on.
    """


class ConfigError(WasmGrpcError):
    """
    A flag, a setting, a manifest or a module is wrong; the command line exits with 2.
    """


class ManifestError(ConfigError):
    """
    One or more manifests or modules can't be served.

    Attributes:
        problems: One line each, ``<folder>/function.toml: <key>: <what is wrong>; <what was expected>``.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class ModuleError(ConfigError):
    """
    A module can't run as a function: not WebAssembly, a wrong import or export, over a limit.
    """


class UnsupportedModuleError(ModuleError):
    """
    A valid module uses a WebAssembly feature that this engine refuses; another engine may take it.
    """


class CompileLimitError(ModuleError):
    """
    Compiling a module took too long or ended the compile process; another time, or limit, it may succeed.
    """


class ModelError(ConfigError):
    """
    A file or a guest's bytes are no model that can be run.
    """


class UnsupportedModelError(ModelError):
    """
    A model has operators or tensors that the inference backend lacks.
    """


class HostError(WasmGrpcError):
    """
    This machine can't do what was asked, though the configuration is right; exit code 1.
    """


class PortInUseError(HostError):
    """
    The address to listen on is taken.
    """


class EngineUnavailableError(ConfigError):
    """
    No interpreter was found that has the wanted engine; names what was tried and the remedy.
    """


class InferenceUnavailableError(ConfigError):
    """
    An interpreter has no inference backend that works; names the remedy.
    """


class WorkerStartError(HostError):
    """
    A worker or compile process did not come up, or came up as another version.
    """


class ProtocolError(HostError):
    """
    A peer sent a frame that the wire format does not allow; the connection is closed.
    """


class SidecarError(ConfigError):
    """
    The sidecar that was configured can't be used: it did not answer in time, or refuses this app's token.
    """


class InvocationError(WasmGrpcError):
    """
    One invocation ended without a result.

    Attributes:
        reason: How it ended; also the ``reason`` of the ``google.rpc.ErrorInfo``.
        function: The function's name, or "" where none was found.
        limit: The manifest key of the limit that was met (``limits.timeout``), or "".
    """

    def __init__(self, reason: Reason, message: str, *, function: str = "", limit: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.function = function
        self.limit = limit


class GuestStatusError(InvocationError):
    """
    The guest answered with an HTTP status that is no success (``response = "cgi"``).

    Attributes:
        http_status: The status, 300 to 599.
        headers: What the guest sends beside it, names in lower case.
    """

    def __init__(
        self, http_status: int, message: str, *, function: str, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        super().__init__(Reason.STATUS, message, function=function)
        self.http_status = http_status
        self.headers = tuple(headers)
