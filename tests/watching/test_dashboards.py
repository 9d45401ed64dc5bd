"""The dashboard and the alert rules ask for metrics that there are, by labels that they have; and every metric is asked for."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client import REGISTRY

from apps.core import metrics
from booking.watching.gauges import ASKS, PART_UP, QUEUE_DEPTH

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = ROOT / "deploy" / "grafana" / "holdfast.json"
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
RUNBOOKS = ROOT / "docs" / "operations.md"
# What Prometheus knows by itself, and what it adds to every metric.
FOREIGN = {"up": set[str]()}
ADDED = {"job", "instance"}
# Exported and deliberately on no panel and in no rule, with the reason.
UNUSED: dict[str, str] = {
    "holdfast_operation_seconds_sum": "a quantile says more than a mean",
    "holdfast_operation_seconds_count": "holdfast_operations_total counts the same, by outcome",
    "holdfast_task_seconds_sum": "a quantile says more than a mean",
    "holdfast_task_seconds_count": "holdfast_tasks_total counts the same, by outcome",
}


def exported() -> dict[str, set[str]]:
    """Each series that the product can show, with its labels."""
    assert metrics.OPERATIONS, "they are registered when they are imported"
    found: dict[str, set[str]] = {PART_UP: {"part"}, QUEUE_DEPTH: {"queue"}}
    for ask in ASKS:
        found |= {name: set(ask.labels) for name, _ in ask.metrics}
    for collector in set(REGISTRY._collector_to_names):
        name = getattr(collector, "_name", "")
        if not name.startswith("holdfast_"):
            continue
        labels = set(collector._labelnames)  # type: ignore[attr-defined]
        match collector._type:  # type: ignore[attr-defined]
            case "counter":
                found[f"{name}_total"] = labels
            case "histogram":
                found |= {f"{name}_{part}": labels for part in ("sum", "count")}
                found[f"{name}_bucket"] = labels | {"le"}
            case "gauge":
                found[name] = labels
            case other:
                raise AssertionError(f"{name} is a {other}")
    return found


def panels() -> list[dict[str, Any]]:
    found = json.loads(DASHBOARD.read_text())["panels"]
    assert isinstance(found, list)
    return found


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def questions() -> list[tuple[str, str]]:
    """Every question that is put to Prometheus, with who puts it."""
    asked = [(panel["title"], target["expr"]) for panel in panels() for target in panel.get("targets", ())]
    # Grafana puts in how long a rate looks back; any duration stands for it.
    asked = [(title, question.replace("$__rate_interval", "5m")) for title, question in asked]
    return asked + [(rule["alert"], rule["expr"]) for rule in rules()]


def below(node: Any) -> Iterator[Any]:
    yield node
    for name in ("expr", "lhs", "rhs", "vector_selector", "param"):
        child = getattr(node, name, None)
        if child is not None:
            yield from below(child)
    for child in getattr(node, "args", ()) or ():
        yield from below(child)


def asked_for(question: str) -> tuple[set[str], set[str]]:
    """The series that a question names, and the labels that it hangs on."""
    names: set[str] = set()
    labels: set[str] = set()
    for node in below(promql_parser.parse(question)):
        if isinstance(node, promql_parser.VectorSelector):
            assert node.name is not None, question
            names.add(node.name)
            labels |= {matcher.name for matcher in node.matchers.matchers}
        elif isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            labels |= set(node.modifier.labels)
    return names, labels


def test_the_questions_are_about_what_there_is() -> None:
    for who, question in questions():
        check(who, question)


def test_every_metric_is_looked_at_or_deliberately_not() -> None:
    looked_at = set.union(*(asked_for(question)[0] for _, question in questions()))
    assert set(exported()) - looked_at == set(UNUSED)


def check(who: str, question: str) -> None:
    known = exported() | FOREIGN
    names, labels = asked_for(question)
    assert names, who
    assert names <= set(known), who
    assert labels <= set.union(*(known[name] for name in names)) | ADDED, who


@pytest.mark.parametrize(
    "question", ["sum(holdfast_operations", "holdfast_operatoins_total", "sum by (of) (holdfast_part_up)", "1"]
)
def test_what_is_wrong_is_noticed(question: str) -> None:
    with pytest.raises((ValueError, AssertionError)):
        check("somebody", question)


def test_gauges_that_every_server_shows_are_not_added_up() -> None:
    shared = {name for ask in ASKS for name, _ in ask.metrics} | {QUEUE_DEPTH}
    for who, question in questions():
        for node in below(promql_parser.parse(question)):
            if isinstance(node, promql_parser.AggregateExpr) and str(node.op) == "sum":
                inner = [each for each in below(node.expr) if isinstance(each, promql_parser.AggregateExpr)]
                assert inner or not asked_for(node.expr.prettify())[0] & shared, who


def test_panels_have_places_of_their_own_and_say_what_they_show() -> None:
    assert len({panel["id"] for panel in panels()}) == len(panels())
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        assert panel["title"]
        assert panel["type"] == "row" or panel["description"]
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in RUNBOOKS.read_text().splitlines()
        if line.startswith("#")
    }
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    for rule in rules():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
        page, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert page == "docs/operations.md"
        assert anchor in anchors, rule["alert"]
