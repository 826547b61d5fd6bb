"""Entry of ``python -m wasm_grpc``."""

import sys

__all__: list[str] = []

if __name__ == "__main__":
    # `-m` put the working directory first on the path: a function's folder may be named `grpc`.
    if not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
        del sys.path[0]
    from wasm_grpc.cli import main_and_exit

    main_and_exit()
