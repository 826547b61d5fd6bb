"""``path_*``: no descriptor is a directory."""

from __future__ import annotations

from typing import Final

from wasm_grpc.hosts.wasi.abi import ENOTDIR
from wasm_grpc.hosts.wasi.calls import declare, refuse

__all__ = ["FUNCTIONS"]

FUNCTIONS: Final = {
    "path_create_directory": declare("iii", refuse(ENOTDIR)),
    "path_filestat_get": declare("iiiii", refuse(ENOTDIR)),
    "path_filestat_set_times": declare("iiiiIIi", refuse(ENOTDIR)),
    "path_link": declare("iiiiiii", refuse(ENOTDIR, 0, 4)),
    "path_open": declare("iiiiiIIii", refuse(ENOTDIR)),
    "path_readlink": declare("iiiiii", refuse(ENOTDIR)),
    "path_remove_directory": declare("iii", refuse(ENOTDIR)),
    "path_rename": declare("iiiiii", refuse(ENOTDIR, 0, 3)),
    "path_symlink": declare("iiiii", refuse(ENOTDIR, 2)),
    "path_unlink_file": declare("iii", refuse(ENOTDIR)),
}
