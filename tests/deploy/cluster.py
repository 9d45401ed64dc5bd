"""The objects of deploy/kubernetes."""

import functools
from pathlib import Path
from typing import Any

import yaml

from booking.queues import QUEUES
from tests.deploy.linters import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
BASE, MIGRATE, OVERLAYS = FOLDER / "base", FOLDER / "migrate", FOLDER / "overlays"
WORKERS = tuple(f"worker-{queue}" for queue in QUEUES)
PROCESSES = ("web", "live", *WORKERS, "beat")
Object = dict[str, Any]


def kustomization(folder: Path) -> Object:
    read = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert isinstance(read, dict)
    return read


def files(folder: Path) -> list[Path]:
    """All of them but what names them."""
    return sorted(path for path in folder.glob("*.yaml") if path.name != "kustomization.yaml")


@functools.cache
def objects(*folders: Path) -> list[Object]:
    found = [each for folder in folders for path in files(folder) for each in yaml.safe_load_all(path.read_text())]
    assert all(isinstance(each, dict) for each in found)
    return found


@functools.cache
def of_kind(kind: str) -> dict[str, Object]:
    return {each["metadata"]["name"]: each for each in objects(BASE, MIGRATE) if each["kind"] == kind}


def deployments() -> dict[str, Object]:
    return of_kind("Deployment")


@functools.cache
def pods() -> dict[str, Object]:
    """What each process runs in, that of the migrations among them."""
    return {name: each["spec"]["template"] for name, each in {**deployments(), **of_kind("Job")}.items()}


def container(pod: Object) -> Object:
    (only,) = pod["spec"]["containers"]
    assert isinstance(only, dict)
    return only


def selected(selector: Object, labels: dict[str, str]) -> bool:
    if any(labels.get(name) != value for name, value in selector.get("matchLabels", {}).items()):
        return False
    return all(labels.get(each["key"]) in each["values"] for each in selector.get("matchExpressions", []))
