"""`model.keras` in, `model.onnx` out: a file that is its own contract."""

import os

# Read by onnxruntime while it is imported, which the modules here do at their top.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
