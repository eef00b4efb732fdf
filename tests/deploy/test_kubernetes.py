"""What kustomize makes of the overlays is valid. Needs `kubectl` and `pip install kubernetes-validate`."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from parley.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
OVERLAYS = ROOT / "deploy/kubernetes/overlays"
VERSION = "1.33"


def build(overlay: str) -> list[dict[str, Any]]:
    """The manifests of an overlay."""
    if shutil.which("kubectl") is None:
        raise ConfigError(
            "kubectl is not installed.", fix="Install Kubernetes' command-line client, 1.27 or later."
        )
    done = subprocess.run(
        ["kubectl", "kustomize", OVERLAYS / overlay], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@pytest.mark.parametrize("overlay", ["cpu", "gpu"])
def test_manifests_are_valid(overlay: str) -> None:
    import kubernetes_validate

    for manifest in build(overlay):
        if manifest["apiVersion"].startswith("keda.sh/"):
            continue  # a custom resource: its schema is not Kubernetes' own; see tests/unit/deploy
        kubernetes_validate.validate(manifest, VERSION, strict=True)


@pytest.mark.parametrize("overlay", ["cpu", "gpu"])
def test_every_process_of_ours_gets_the_common_settings(overlay: str) -> None:
    ours = [
        m
        for m in build(overlay)
        if m["kind"] == "Deployment" and m["metadata"]["labels"].get("parley.dev/process")
    ]
    assert {m["metadata"]["name"] for m in ours} == {"asr", "llm", "tts", "sda", "gateway"}
    for manifest in ours:
        pod = manifest["spec"]["template"]["spec"]
        container = pod["containers"][0]
        assert pod["securityContext"]["runAsNonRoot"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        names = [variable["name"] for variable in container["env"]]
        assert {"PARLEY_HOST", "PARLEY_PRIVATE_NETWORK", "PARLEY_REDIS_URL"} <= set(names)
        # Kubernetes expands $(…) only from variables that come before.
        assert names.index("REDIS_PASSWORD") < names.index("PARLEY_REDIS_URL")
        assert not container["image"].endswith((":latest", ":"))


def test_the_gpu_overlay_moves_the_mind_to_vllm() -> None:
    named = {(m["kind"], m["metadata"]["name"]): m for m in build("gpu")}
    env = named["Deployment", "llm"]["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "PARLEY_LLM_ENGINE", "value": "vllm"} in env
    vllm = named["Deployment", "vllm"]["spec"]["template"]["spec"]["containers"][0]
    assert vllm["resources"]["limits"]["nvidia.com/gpu"] == "1"
