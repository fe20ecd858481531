"""`model.keras` in, `model.onnx` out: a file that is its own contract."""
