"""The commands of `python -m runtime`, one module each: DOES, EXAMPLE, `add_arguments` and `run`."""
