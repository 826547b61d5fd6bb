"""
The errors that one package raises for another, grouped by cause.

``WasmGrpcError`` is the root. Below it:

* ``ConfigError``: a flag, a manifest or a module is wrong, and its author can correct it.
* ``HostError``: this machine lacks something, such as a port or a file.
* ``InvocationError``: one invocation ended without a result. Its ``reason`` says how. Only
  ``server.status`` turns it into a gRPC status.
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
    "PicturesUnavailableError",
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
    Root of the tree. The text is one line that a person can act on.
    """


class ConfigError(WasmGrpcError):
    """
    A flag, a setting, a manifest or a module is wrong. The command line exits with 2.
    """


class ManifestError(ConfigError):
    """
    One or more manifests or modules can't be served.

    Attributes:
        problems: One line for each: ``<folder>/function.toml: <key>: <what is wrong>; expected <what>``.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class ModuleError(ConfigError):
    """
    A module can't run as a function: it is not WebAssembly, has a wrong import or export, or exceeds a limit.
    """


class UnsupportedModuleError(ModuleError):
    """
    A valid module uses a WebAssembly feature that this engine lacks. Another engine may have it.
    """


class CompileLimitError(ModuleError):
    """
    Compiling a module took too long, or ended the compile process. A later try, or a higher limit, may help.
    """


class ModelError(ConfigError):
    """
    A file, or what a guest supplied, is not a model that can be run.
    """


class UnsupportedModelError(ModelError):
    """
    A model has operators or tensors that the inference backend lacks.
    """


class HostError(WasmGrpcError):
    """
    This machine can't do what was asked, although the configuration is right. The command line exits with 1.
    """


class PortInUseError(HostError):
    """
    The address to listen on is already in use.
    """


class EngineUnavailableError(ConfigError):
    """
    No interpreter has the wanted engine. The message says what was tried, and names the remedy.
    """


class InferenceUnavailableError(ConfigError):
    """
    An interpreter has no working inference backend. The message names the remedy.
    """


class PicturesUnavailableError(ConfigError):
    """
    An interpreter has no working picture decoder. The message names the remedy.
    """


class WorkerStartError(HostError):
    """
    A worker or compile process did not start, or has another version of this package.
    """


class ProtocolError(HostError):
    """
    A peer sent a frame that the protocol does not allow. The connection is closed.
    """


class SidecarError(ConfigError):
    """
    The configured sidecar did not answer in time, or refuses this app's token.
    """


class InvocationError(WasmGrpcError):
    """
    One invocation ended without a result.

    Attributes:
        reason: How it ended. It is also the ``reason`` of the ``google.rpc.ErrorInfo``.
        function: Name of the function, or "" if none was found.
        limit: Manifest key of the limit that was reached, such as ``limits.timeout``, or "".
    """

    def __init__(self, reason: Reason, message: str, *, function: str = "", limit: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.function = function
        self.limit = limit


class GuestStatusError(InvocationError):
    """
    The guest answered with an HTTP status other than success (``response = "cgi"``).

    Attributes:
        http_status: The status, 300 to 599.
        headers: The guest's other headers, with names in lower case.
    """

    def __init__(
        self, http_status: int, message: str, *, function: str, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        super().__init__(Reason.STATUS, message, function=function)
        self.http_status = http_status
        self.headers = tuple(headers)
