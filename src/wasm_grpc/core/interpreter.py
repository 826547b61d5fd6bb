"""Start a child that runs Python and imports modules from its own installation only."""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Mapping

__all__ = ["isolated_command"]


def isolated_command(python: str, module: str, environ: Mapping[str, str] = os.environ) -> list[str]:
    """
    Return the command that runs `module` as `python -m` would, without the working directory on its path.

    With ``-m`` alone, a function's folder named `wasmtime` would be imported as the engine, by a process
    that is not in its sandbox yet. ``-I`` (isolated mode) leaves the working directory out. It also leaves
    out ``PYTHONPATH`` and the user's own site-packages, on which an installation may depend, so these are
    added again. A relative path in ``PYTHONPATH`` is not, since it means the working directory.

    Args:
        python: Path of the interpreter.
        module: Name of the module. Its arguments may be appended to the command.
        environ: Environment with ``PYTHONPATH``.
    """
    before = [path for path in environ.get("PYTHONPATH", "").split(os.pathsep) if path.startswith(os.sep)]
    after = _user_packages() if python == sys.executable else []
    code = (
        f"import runpy, sys; sys.path[:0] = {before!r}; sys.path += {after!r}; "
        f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    )
    return [python, "-I", "-c", code]


def _user_packages() -> list[str]:
    """
    Return the user's site-packages, if this process uses them.

    They are for the interpreter that runs this process: another version could not import them.
    """
    return [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
