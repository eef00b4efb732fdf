"""What the dashboard, the alerts and the scalers ask for is what the code really measures."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
DASHBOARD = json.loads((ROOT / "deploy/grafana/dashboards/parley.json").read_text("utf-8"))
ALERTS = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text("utf-8"))
SCRAPE = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text("utf-8"))
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))

# Of prometheus_client itself and of Prometheus.
ALWAYS_THERE = {"up", "process_cpu_seconds_total", "process_resident_memory_bytes"}
ALWAYS_LABELLED = {"job", "instance", "le"}


def declared() -> dict[str, set[str]]:
    """Every series that the code can export, with its labels."""
    found: dict[str, set[str]] = {}
    for file in (f for folder in ("parley", "gateway", "services") for f in (ROOT / folder).rglob("*.py")):
        for call in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or not call.args:
                continue
            kind, name = call.func.id, call.args[0]
            if kind not in {"Counter", "Gauge", "Histogram"} or not isinstance(name, ast.Constant):
                continue
            labels = set(ast.literal_eval(call.args[2])) if len(call.args) > 2 else set()
            ends = ("_bucket", "_sum", "_count") if kind == "Histogram" else ("",)
            found |= {name.value + end: labels for end in ends}
    return found


SERIES = declared()


def expressions() -> Iterator[str]:
    """Every PromQL expression of the dashboard and of the alerts."""
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    for group in ALERTS["groups"]:
        yield from (rule["expr"] for rule in group["rules"])


def test_the_code_declares_the_metrics_that_matter() -> None:
    assert {"parley_turn_latency_seconds_bucket", "parley_gateway_sessions"} <= SERIES.keys()
    assert SERIES["parley_failed_items_total"] == {"stage", "code"}


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_every_metric_and_label_exists(expression: str) -> None:
    names = set(re.findall(r"\b(?:parley|process)_[a-z0-9_]+|\bup\b", expression))
    assert names
    assert names <= SERIES.keys() | ALWAYS_THERE
    known = ALWAYS_LABELLED.union(*(SERIES.get(name, set()) for name in names))
    used = {
        label.strip() for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(",")
    }
    used |= set(re.findall(r"([a-z_]+)(?:=~|!~|!=|=)\"", expression))
    assert used <= known


def test_panels_have_a_place_a_unit_and_their_own_number() -> None:
    panels = DASHBOARD["panels"]
    assert len({p["id"] for p in panels}) == len(panels)
    cells = [
        (x, y)
        for g in (p["gridPos"] for p in panels)
        for x in range(g["x"], g["x"] + g["w"])
        for y in range(g["y"], g["y"] + g["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert all(x < 24 for x, _ in cells)
    assert all(p["fieldConfig"]["defaults"]["unit"] and p["description"] for p in panels)


def test_the_dashboard_uses_the_provisioned_data_source() -> None:
    folder = ROOT / "deploy/grafana/provisioning/datasources"
    source = yaml.safe_load((folder / "prometheus.yaml").read_text("utf-8"))["datasources"][0]
    assert {p["datasource"]["uid"] for p in DASHBOARD["panels"]} == {source["uid"]}


def test_prometheus_looks_for_services_that_compose_starts() -> None:
    jobs = {job["job_name"]: job for job in SCRAPE["scrape_configs"]}
    assert set(jobs) == {"gateway", "asr", "llm", "tts", "sda", "vllm"}
    for name, job in jobs.items():
        assert job["dns_sd_configs"][0]["names"] == [name]
        assert name in COMPOSE["services"]
    origin = jobs["gateway"]["http_headers"]["Origin"]["values"][0]
    assert origin in COMPOSE["services"]["gateway"]["environment"]["PARLEY_GATEWAY_ORIGINS"].split(",")
