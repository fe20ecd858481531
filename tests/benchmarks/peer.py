"""The peer: a plain FastAPI server around the same model file, as a careful engineer writes it in an afternoon.

Pillow decodes, scales and encodes; the endpoint is a `def`, so FastAPI runs it on its thread pool and the event loop
stays free; the session has the same options and threads as ours, and the input is scaled straight to the network's
size. Its uvicorn has httptools and uvloop, as `uvicorn[standard]` brings them. It lacks what takes longer than an
afternoon: limits, a bounded queue, letterboxing of odd shapes, EXIF, honest errors, faster codecs.

`Image.resize` is told `reducing_gap=2.0`, the speed-up that Pillow's documentation recommends; at a ratio of 2 it has
nothing to skip. `Image.draft`, which would have JPEG unpacked at half size, is left out: it changes the pixels.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import onnxruntime
from fastapi import Depends, FastAPI, Request, Response
from floor import serve
from PIL import Image

from runtime import categories

WIDTH, HEIGHT = 1024, 512
"""The network's input."""


def open_session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """With the options that ours has: `runtime.sessions`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


async def raw_body(request: Request) -> bytes:
    """The image; read on the event loop, before the thread pool is entered."""
    return await request.body()


def create_app(session: onnxruntime.InferenceSession) -> FastAPI:
    """`POST /segment`: an encoded frame in, a palette PNG out."""
    app = FastAPI()
    palette = categories.PALETTE.ravel().tolist()

    @app.post("/segment")
    def segment(body: Annotated[bytes, Depends(raw_body)]) -> Response:
        frame = Image.open(io.BytesIO(body)).convert("RGB")
        resized = frame.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR, reducing_gap=2.0)
        output: Any = session.run(["mask"], {"image": np.asarray(resized)[None]})[0]
        mask = Image.fromarray(output[0]).resize(frame.size, Image.Resampling.NEAREST)
        mask.putpalette(palette)
        buffer = io.BytesIO()
        mask.save(buffer, "PNG", compress_level=1)
        return Response(buffer.getvalue(), media_type="image/png")

    return app


def main() -> None:
    """Serve until a signal ends it."""
    parser = argparse.ArgumentParser("peer.py", description="A plain FastAPI server, to compare with.")
    parser.add_argument("model", type=Path, help="the .onnx file")
    parser.add_argument("--threads", type=int, default=1, help="of one inference")
    arguments = parser.parse_args()
    session = open_session(arguments.model, arguments.threads)
    session.run(["mask"], {"image": np.zeros((1, HEIGHT, WIDTH, 3), np.uint8)})
    serve(create_app(session), "auto")


if __name__ == "__main__":
    main()
