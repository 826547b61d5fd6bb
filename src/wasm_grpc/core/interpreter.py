"""How a child that runs Python is started, so that no folder but its own installation gives it modules."""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Mapping

__all__ = ["isolated_command"]


def isolated_command(python: str, module: str, environ: Mapping[str, str] = os.environ) -> list[str]:
    """
    Return the command that runs `module` as `python -m` would, without the working directory on its path.

    With ``-m`` alone, a folder of functions that holds one named `wasmtime` would be imported as the
    engine, by a process that nothing confines yet. ``-I`` (isolated mode) leaves that folder out, and
    with it ``PYTHONPATH`` and the user's own site-packages, on which an installation may depend: these
    are put back here, the absolute ones only, since a relative one means the working directory again.

    Args:
        python: Path of the interpreter.
        module: What to run; the command's further words are its arguments.
        environ: Where ``PYTHONPATH`` is looked up.
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
    Return the user's site-packages where this process uses them: those of another version would not fit.
    """
    return [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
