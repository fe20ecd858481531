"""Settings from the environment and from flags."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from api.settings import Settings


def test_nothing_given_means_the_defaults():
    assert Settings.read({}) == Settings()
    assert Settings.read({"PATH": "/bin", "ROADMASK_PORT": "", "ROADMASK_UNKNOWN": "1"}) == Settings()


def test_every_field_is_read_from_the_environment():
    texts = {
        "host": ("0.0.0.0", "0.0.0.0"),
        "port": ("9000", 9000),
        "models": ("/srv/models", Path("/srv/models")),
        "model": ("fast", "fast"),
        "providers": ("cuda, cpu", ("cuda", "cpu")),
        "cache": ("/var/cache", Path("/var/cache")),
        "threads": ("3", 3),
        "inferences": ("2", 2),
        "max_body_bytes": ("1000", 1000),
        "max_pixels": ("2000", 2000),
        "body_timeout_s": ("2.5", 2.5),
        "queue_size": ("7", 7),
        "shutdown_timeout_s": ("9", 9),
        "max_buffered_bytes": ("4000", 4000),
        "header_timeout_s": ("1", 1.0),
        "request_timeout_ms": ("150", 150),
        "batch_size": ("8", 8),
        "batch_delay_ms": ("0.5", 0.5),
        "confidence": ("1", True),
        "admin": ("1", True),
        "api_keys_file": ("/run/keys", Path("/run/keys")),
        "cors_origins": ("https://a.example, http://localhost:3000/", ("https://a.example", "http://localhost:3000")),
        "websocket_origins": ("*", ("*",)),
        "log_level": ("WARNING", "warning"),
        "otlp_endpoint": ("http://collector:4318", "http://collector:4318"),
    }
    assert set(texts) == {field.name for field in fields(Settings)}
    environment = {f"ROADMASK_{name.upper()}": text for name, (text, _) in texts.items()}
    environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = environment.pop("ROADMASK_OTLP_ENDPOINT")
    read = Settings.read(environment)
    assert read == Settings(**{name: value for name, (_, value) in texts.items()})


def test_a_flag_wins_and_one_that_was_not_given_does_not():
    read = Settings.read({"ROADMASK_PORT": "9000", "ROADMASK_HOST": "::"}, {"port": "9001", "host": None})
    assert (read.port, read.host) == (9001, "::")


def test_a_bad_value_that_a_flag_replaces_does_no_harm():
    assert Settings.read({"ROADMASK_PORT": "x"}, {"port": "1"}).port == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PORT", "http"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "1" * 5000),
        ("PORT", "٣"),
        ("THREADS", "0"),
        ("THREADS", "2.0"),
        ("PROVIDERS", "gpu"),
        ("PROVIDERS", "cpu,,"),
        ("BODY_TIMEOUT_S", "0"),
        ("BODY_TIMEOUT_S", "nan"),
        ("BODY_TIMEOUT_S", "soon"),
        ("QUEUE_SIZE", "many"),
        ("HOST", " "),
        ("REQUEST_TIMEOUT_MS", "0"),
        ("BATCH_SIZE", "0"),
        ("BATCH_DELAY_MS", "-1"),
        ("BATCH_DELAY_MS", "nan"),
        ("CONFIDENCE", "0.9"),
        ("ADMIN", "yes"),
        ("CORS_ORIGINS", "example.com"),
        ("WEBSOCKET_ORIGINS", "https://a.example/page"),
        ("LOG_LEVEL", "chatty"),
    ],
)
def test_a_bad_value_is_one_line_that_names_it(name, text):
    with pytest.raises(ValueError, match=f"^ROADMASK_{name} is '") as caught:
        Settings.read({f"ROADMASK_{name}": text})
    assert "\n" not in str(caught.value)


def test_a_collector_that_is_no_url():
    with pytest.raises(ValueError, match="OTEL_EXPORTER_OTLP_ENDPOINT is"):
        Settings.read({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"})


def test_the_variables_that_kubernetes_makes_for_a_service_are_left_alone():
    environment = {
        "ROADMASK_PORT": "tcp://10.0.0.1:8000",
        "ROADMASK_SERVICE_HOST": "10.0.0.1",
        "ROADMASK_PORT_8000_TCP": "tcp://10.0.0.1:8000",
    }
    assert Settings.read(environment) == Settings()
