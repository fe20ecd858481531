"""Frames and masks in, `model.keras` out: Keras 3 on TensorFlow."""
