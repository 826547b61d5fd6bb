"""Entry of ``python -m wasm_grpc``."""

from wasm_grpc.cli import main_and_exit

__all__: list[str] = []

if __name__ == "__main__":
    main_and_exit()
