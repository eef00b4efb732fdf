"""The cluster's manifests fit the code and each other: ports, streams, labels, selectors, variables."""

from pathlib import Path
from typing import Any

import yaml

from gateway.config import GatewaySettings
from parley.chain.interface import WORK_STREAM
from services.asr.config import AsrSettings
from services.llm.config import LlmSettings
from services.sda.config import SdaSettings
from services.tts.config import TtsSettings

BASE = Path(__file__).resolve().parents[3] / "deploy/kubernetes/base"
SETTINGS = {"asr": AsrSettings, "llm": LlmSettings, "tts": TtsSettings, "sda": SdaSettings}
RESOURCES = yaml.safe_load((BASE / "kustomization.yaml").read_text("utf-8"))["resources"]
MANIFESTS: list[dict[str, Any]] = [
    manifest for file in RESOURCES for manifest in yaml.safe_load_all((BASE / file).read_text("utf-8"))
]


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    """Specs of one kind by name."""
    return {m["metadata"]["name"]: m["spec"] for m in MANIFESTS if m["kind"] == kind}


WORKLOADS = of_kind("Deployment") | of_kind("StatefulSet")


def selected(selector: dict[str, Any]) -> set[str]:
    """Names of the workloads whose pods a label selector means."""
    if "matchExpressions" in selector:
        (rule,) = selector["matchExpressions"]
        return {name for name in rule["values"] if name in WORKLOADS}
    wanted = selector.get("matchLabels", selector)
    return {
        n for n, spec in WORKLOADS.items() if wanted.items() <= spec["template"]["metadata"]["labels"].items()
    }


def test_every_file_is_listed() -> None:
    assert {p.name for p in BASE.glob("*.yaml")} == {*RESOURCES, "kustomization.yaml", "pod.yaml"}


def test_ports_are_those_of_the_services() -> None:
    for name, settings in SETTINGS.items():
        port, metrics = (settings.model_fields[field].default for field in ("port", "metrics_port"))
        container = WORKLOADS[name]["template"]["spec"]["containers"][0]
        assert [p["containerPort"] for p in container["ports"]] == [port, metrics]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[probe]["grpc"]["port"] == port
        assert of_kind("Service")[name]["ports"][0]["port"] == port
        annotations = WORKLOADS[name]["template"]["metadata"]["annotations"]
        assert annotations["prometheus.io/port"] == str(metrics)


def test_the_gateway_knows_where_everyone_is() -> None:
    container = WORKLOADS["gateway"]["template"]["spec"]["containers"][0]
    env = {variable["name"]: variable.get("value") for variable in container["env"]}
    for name, settings in SETTINGS.items():
        alias = GatewaySettings.model_fields[f"{name}_url"].validation_alias
        assert env[str(alias)] == f"{name}:{settings.model_fields['port'].default}"
    assert "PARLEY_API_KEYS" in env


def test_everything_is_selected_by_its_service_budget_and_policies() -> None:
    for name, spec in of_kind("Service").items():
        assert selected(spec["selector"]) == {name}
    budgets = of_kind("PodDisruptionBudget")
    assert set(budgets) == set(WORKLOADS)
    assert all(selected(spec["selector"]) == {name} for name, spec in budgets.items())
    guarded = set[str]()
    for name, spec in of_kind("NetworkPolicy").items():
        if name not in {"default-deny", "names"}:
            guarded |= selected(spec["podSelector"])
    assert guarded == set(WORKLOADS)


def test_the_default_is_that_nobody_reaches_anybody() -> None:
    deny = of_kind("NetworkPolicy")["default-deny"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_workers_scale_on_the_streams_that_they_work_off() -> None:
    scaled = of_kind("ScaledObject")
    assert set(scaled) == {stage.value for stage in WORK_STREAM}
    for stage, stream in WORK_STREAM.items():
        triggers = scaled[stage.value]["triggers"]
        assert scaled[stage.value]["scaleTargetRef"]["name"] == stage.value
        for trigger in triggers:
            assert trigger["metadata"]["stream"] == stream
            assert trigger["metadata"]["consumerGroup"] == stage.value
        assert {"lagCount", "pendingEntriesCount"} <= set().union(*(t["metadata"] for t in triggers))
    assert set(of_kind("HorizontalPodAutoscaler")) == set(WORKLOADS) - set(scaled) - {"redis"}


def test_everyone_asks_for_what_they_need() -> None:
    for spec in WORKLOADS.values():
        for container in spec["template"]["spec"]["containers"]:
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
            assert "memory" in container["resources"]["limits"]
            assert "readinessProbe" in container and "livenessProbe" in container
