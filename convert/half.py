"""float16: what graphics processors and neural accelerators run at twice the pace, in half the memory."""

from __future__ import annotations

import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16


def to_fp16(model: onnx.ModelProto) -> onnx.ModelProto:
    """The network with weights and activations in float16; input and output stay uint8.

    A CPU has no kernels for it and casts back and forth: there it is slower than float32, and as exact.

    Args:
        model: float32, as `graph.fold` leaves it.
    """
    source = onnx.ModelProto()
    source.CopyFrom(model)
    # Resize runs in float16 on every accelerator, and nothing is gained by casting around it.
    made: onnx.ModelProto = convert_float_to_float16(source, keep_io_types=True, op_block_list=[])
    del made.graph.value_info[:]
    return made
