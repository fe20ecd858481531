"""Being asked by probes, and being stopped."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import httpx
import pytest
from websockets.sync.client import connect

from gui import health
from tests.gui.servers import inherited, ready


def test_probes_are_answered_while_the_api_is_away(launch):
    address = launch("gui", "--api", "http://127.0.0.1:9")
    assert len(set(health.PATHS)) == 3
    for path in health.PATHS:
        answer = httpx.get(address + path)
        assert (answer.status_code, answer.text) == (200, "yes\n")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_it_in_time_though_a_page_is_open(number, status):
    command = [sys.executable, "-m", "gui", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=inherited())
    try:
        found = re.search(r"http://([\w.]+:\d+)", process.stdout.readline())
        ready(found[0] + health.PATHS[0], process)
        address = f"ws://{found[1]}/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
        with connect(address, open_timeout=60) as page:
            assert page.recv(60).startswith("0")  # Engine.IO's greeting
            process.send_signal(number)
            assert process.wait(15) == status
            assert process.stderr.read() == ""
    finally:
        process.kill()
        process.communicate()
