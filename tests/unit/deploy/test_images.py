"""The images' recipes: the same shape each, nothing forgotten, nothing heavy."""

import ast
import re
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
SERVICES = ("asr", "llm", "tts", "sda")
DOCKERFILES = {name: ROOT / "services" / name / "Dockerfile" for name in SERVICES}
DOCKERFILES["gateway"] = ROOT / "gateway" / "Dockerfile"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))

# Packages whose import name is not their own.
IMPORTED_AS = {
    "grpcio": "grpc",
    "grpcio-health-checking": "grpc_health",
    "grpcio-reflection": "grpc_reflection",
    "opencv-python-headless": "cv2",
    "protobuf": "google",
    "python-multipart": "python_multipart",
    "pyyaml": "yaml",
    "fastapi": "fastapi",
}
BROUGHT_ALONG = {"starlette": "fastapi"}


def requirements(name: str) -> set[str]:
    """Names of the packages that an image installs directly."""
    lines = (ROOT / "deploy/requirements" / f"{name}.txt").read_text("utf-8").splitlines()
    wanted = {line for line in lines if line and not line.startswith(("#", "-r"))}
    return wanted | (requirements("kernel") if name != "kernel" else set())


def normal(name: str) -> str:
    """A package's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(folder: Path) -> set[str]:
    """Top-level packages from elsewhere that a folder's running code imports.

    Not its benches, and not the engine that needs PyTorch nor what fetches its voices: they say so where that
    is missing.
    """
    found = set()
    for file in folder.rglob("*.py"):
        if file.stem in {"bench", "sheet", "wer", "coqui", "fetch"}:
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names) - {"parley", "gateway", "services", "proto"}


@pytest.mark.parametrize("name", DOCKERFILES)
def test_images_run_as_nobody_in_particular_and_tell_their_health(name: str) -> None:
    text = DOCKERFILES[name].read_text("utf-8")
    final = text[text.rindex("FROM ${PYTHON}") :]
    assert "USER 10001" in final
    assert "HEALTHCHECK" in final
    assert "--mount=type=cache" in text
    assert all(re.match(r"FROM \$\{(PYTHON|NODE)\}", line) for line in re.findall(r"^FROM .*", text, re.M))
    assert "# syntax" not in text and "<<" not in text


@pytest.mark.parametrize("name", DOCKERFILES)
def test_versions_are_pinned_and_pytorch_is_absent(name: str) -> None:
    pinned = {normal(line.split("==")[0]) for line in (ROOT / "constraints.txt").read_text().split()}
    assert {normal(package) for package in requirements(name)} <= pinned
    assert not requirements(name) & {"torch", "torchaudio", "transformers"}


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_installs_what_its_service_imports(name: str) -> None:
    wanted = {IMPORTED_AS.get(package, package.replace("-", "_")) for package in requirements(name)}
    assert imported(ROOT / "services" / name) <= wanted


def test_the_gateways_image_installs_what_it_imports() -> None:
    wanted = {IMPORTED_AS.get(package, package.replace("-", "_")) for package in requirements("gateway")}
    assert {BROUGHT_ALONG.get(module, module) for module in imported(ROOT / "gateway")} <= wanted


@pytest.mark.parametrize("name", [*DOCKERFILES, "redis"])
def test_containers_are_confined(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert "inside" in service["networks"]


def test_only_caddy_is_published_beyond_this_machine() -> None:
    services = [service for name, service in COMPOSE["services"].items() if name != "caddy"]
    published = [port for service in services for port in service.get("ports", [])]
    assert published
    assert all(port.startswith(("127.0.0.1:", "${PARLEY_BIND:-127.0.0.1}:")) for port in published)
    assert COMPOSE["services"]["caddy"]["profiles"] == ["tls"]
    assert COMPOSE["networks"]["inside"]["internal"] is True


def test_the_card_is_laid_over_the_same_services() -> None:
    over = yaml.safe_load((ROOT / "deploy/gpu.yml").read_text("utf-8"))["services"]
    assert set(over) == {"models", "asr", "tts", "sda"}
    for name in ("asr", "tts", "sda"):
        args = over[name]["build"]["args"]
        assert (ROOT / "deploy/requirements" / f"{args['REQUIREMENTS']}.txt").is_file()
        text = DOCKERFILES[name].read_text("utf-8")
        assert all(f"ARG {argument}=" in text and f"${{{argument}}}" in text for argument in args)
        assert over[name]["image"].endswith("-gpu")
    told = dict(
        line.split("=", 1)
        for line in (ROOT / "deploy/gpu.env").read_text("utf-8").splitlines()
        if line[0] != "#"
    )
    assert told["COMPOSE_FILE"] == "docker-compose.yml:deploy/gpu.yml"


def test_plain_up_needs_no_profile_for_the_embedded_default() -> None:
    plain = {name for name, service in COMPOSE["services"].items() if not service.get("profiles")}
    assert plain == {*DOCKERFILES, "redis"}
