"""PromQL as far as the tests ask: which series an expression reads, by which labels; and Prometheus' own tool."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
MONITORING = REPOSITORY / "k8s" / "components" / "monitoring"

_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<string>"(?:[^"\\]|\\.)*")|(?P<duration>\[[^\]]*\]|\d+(?:ms|[smhdwy]))|(?P<number>\d+(?:\.\d+)?)
    |(?P<name>[a-zA-Z_:][\w:]*)|(?P<sign>=~|!~|!=|==|<=|>=|[-+*/%^<>={}(),])""",
    re.VERBOSE,
)

_LISTS = {"by", "without", "on", "ignoring", "group_left", "group_right"}
_WORDS = {"and", "or", "unless", "offset", "bool"}


@dataclass(frozen=True)
class Selector:
    """`name{label OPERATOR "value", ...}`."""

    name: str
    matchers: tuple[tuple[str, str, str], ...]


def tokens(expression: str) -> Iterator[tuple[str, str]]:
    """Kind and text of each; ValueError where there is none."""
    at = 0
    while at < len(expression):
        found = _TOKEN.match(expression, at)
        if found is None:
            raise ValueError(f"what is '{expression[at:]}'?")
        at = found.end()
        if found.lastgroup != "space":
            yield str(found.lastgroup), found.group()


def read(expression: str) -> tuple[list[Selector], set[str]]:
    """What an expression selects, and the labels that it groups or joins by. Sound PromQL is taken for granted."""
    rest = list(tokens(expression))
    selectors: list[Selector] = []
    labels: set[str] = set()
    while rest:
        kind, text = rest.pop(0)
        follows = rest[0][1] if rest else ""
        if kind != "name" or text in _WORDS:
            continue
        if text in _LISTS:
            inside = _until(rest, "(", ")")
            labels |= {word for sort, word in inside if sort == "name"}
        elif follows != "(" and not _is_aggregation(text, follows):
            words = [word for _, word in _until(rest, "{", "}") if word != ","] if follows == "{" else []
            triples = zip(words[::3], words[1::3], words[2::3], strict=True)
            selectors.append(Selector(text, tuple((label, sign, json.loads(value)) for label, sign, value in triples)))
    return selectors, labels


def _is_aggregation(text: str, follows: str) -> bool:
    """`sum by (...) (...)`: a name with one of these words behind it is no series."""
    return follows in {"by", "without"} and text in {"sum", "min", "max", "avg", "count", "topk"}


def _until(rest: list[tuple[str, str]], opens: str, closes: str) -> list[tuple[str, str]]:
    """Take what stands between the two signs off the beginning of `rest`."""
    assert rest.pop(0)[1] == opens
    end = [text for _, text in rest].index(closes)
    inside = rest[:end]
    del rest[: end + 1]
    return inside


def dashboard() -> dict[str, Any]:
    """As it is in the repository."""
    found: dict[str, Any] = json.loads((MONITORING / "dashboard.json").read_text(encoding="utf-8"))
    return found


def rules() -> list[dict[str, Any]]:
    """Every rule of every group."""
    return [rule for group in rule_groups()["groups"] for rule in group["rules"]]


def rule_groups() -> dict[str, Any]:
    """What stands in the PrometheusRule, which is what stands in a file of Prometheus' own."""
    found: dict[str, Any] = yaml.safe_load((MONITORING / "alerts.yaml").read_text(encoding="utf-8"))["spec"]
    return found


def promtool() -> str | None:
    """Prometheus' own tool: of the machine, or unpacked by `make test`."""
    folders = f"{os.environ.get('PATH', '')}{os.pathsep}{REPOSITORY / '.promtool' / 'usr' / 'bin'}"
    return shutil.which("promtool", path=folders)


WITHOUT_PROMTOOL = "promtool is missing: it is in Debian's package prometheus, which `make test` unpacks into .promtool"
