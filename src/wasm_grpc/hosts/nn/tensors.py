"""
Check a guest's tensor against the model's: size, shape and type.

wasi-nn has two tables of tensor types that contradict each other: the old one of the crate wasi-nn
up to 0.5 and WasmEdge up to 0.14, the new one of the crate from 0.6 on, of Wasmtime and of WasmEdge
from 0.15 on. The model decides which type a tensor must have. So an ambiguous code is accepted
if either table maps it to that type, and the tensor's size and shape fit too.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final

from wasm_grpc.core.model import TensorTypes
from wasm_grpc.hosts.nn.abi import INVALID_ARGUMENT, TENSOR
from wasm_grpc.hosts.nn.calls import region
from wasm_grpc.hosts.refusal import Refusal
from wasm_grpc.inference.protocol import TensorInfo, TensorType

__all__ = ["read_tensor"]

_OLD: Final = {0: TensorType.F16, 1: TensorType.F32, 2: TensorType.U8, 3: TensorType.I32}
_NEW: Final = {
    0: TensorType.F16,
    1: TensorType.F32,
    2: TensorType.F64,
    3: TensorType.U8,
    4: TensorType.I32,
    5: TensorType.I64,
}
_TABLES: Final[Mapping[TensorTypes, tuple[Mapping[int, TensorType], ...]]] = {
    TensorTypes.AUTO: (_NEW, _OLD),
    TensorTypes.OLD: (_OLD,),
    TensorTypes.NEW: (_NEW,),
}

_SENT_AS: Final = {
    TensorType.I8: TensorType.U8,
    TensorType.BOOL: TensorType.U8,
    TensorType.U32: TensorType.I32,
    TensorType.U64: TensorType.I64,
}
"""
Types that are in neither table, and the type of the same size to accept for them.

The most common quantised models take i8, and their guests have no better type to pass.
"""


def read_tensor(
    memory: memoryview, tensor_at: int, *, wanted: TensorInfo, types: TensorTypes, where: str
) -> bytes:
    """
    Return the bytes of a guest's tensor, after checking it against the model's input.

    Args:
        memory: The guest's memory.
        tensor_at: Address of the tensor's record.
        wanted: The model's input.
        types: The table of types that the guest uses.
        where: Name of the tensor, for the log.

    Raises:
        Refusal: INVALID_ARGUMENT, a pointer, or the tensor's size, rank, shape or type is wrong.
    """
    record = region(memory, tensor_at, TENSOR.size, f"{where}: its record")
    dims_at, rank, code, data_at, size = TENSOR.unpack(record)
    content = region(memory, data_at, size, f"{where}: its data")
    dims = region(memory, dims_at, 4 * rank, f"{where}: its dimensions")
    expected = f"expected {wanted}, {wanted.size_bytes} bytes"
    if size != wanted.size_bytes:
        raise Refusal(INVALID_ARGUMENT, f"{where}: has {size} bytes; {expected}")
    if rank != len(wanted.shape):
        raise Refusal(INVALID_ARGUMENT, f"{where}: has {rank} dimensions; {expected}")
    shape = struct.unpack(f"<{rank}I", dims)
    if shape != wanted.shape:
        raise Refusal(INVALID_ARGUMENT, f"{where}: has the shape {'x'.join(map(str, shape))}; {expected}")
    meant = [table[code] for table in _TABLES[types] if code in table]
    if _SENT_AS.get(wanted.type, wanted.type) not in meant:
        names = " or ".join(dict.fromkeys(each.value for each in meant)) or "unknown"
        raise Refusal(INVALID_ARGUMENT, f"{where}: has the type {code} ({names}); {expected}")
    return bytes(content)
