"""Serves masks over HTTP: a thin layer around `runtime`. `python -m api` starts it."""
