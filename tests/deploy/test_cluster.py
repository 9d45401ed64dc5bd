"""What runs in a cluster: sound, closed in, and telling the truth to whoever probes, scales and moves it."""

from typing import Any

import pytest

from booking import settings
from booking.env import Environment
from booking.queues import QUEUES
from tests.deploy import composition
from tests.deploy.cluster import (
    BASE,
    FOLDER,
    MIGRATE,
    OVERLAYS,
    PROCESSES,
    WORKERS,
    container,
    deployments,
    files,
    kustomization,
    objects,
    of_kind,
    pods,
    selected,
)
from tests.deploy.fleet import command_of
from tests.deploy.linters import complaints
from tests.deploy.test_compose import option
from tests.readme.test_env_example import REQUIRED, ROOT
from tests.readme.test_env_example import names as settings_names
from tests.watching.test_dashboards import exported

# What kustomize adds to each pod.
ADDED = {"app.kubernetes.io/part-of": "holdfast"}


@pytest.mark.parametrize("version", ["1.32.0", "1.37.0"])
def test_the_cluster_knows_every_object_and_every_field(version: str) -> None:
    paths = [str(path) for folder in (FOLDER, BASE, MIGRATE) for path in files(folder)]
    assert complaints("kubernetes-validate", "--strict", "--quiet", "--no-warn", "-k", version, *paths) == ""


def test_a_field_that_it_does_not_know_is_found(tmp_path: Any) -> None:
    (tmp_path / "web.yaml").write_text((BASE / "web.yaml").read_text().replace("periodSeconds: 2", "periodSecond: 2"))
    assert "periodSecond" in complaints(
        "kubernetes-validate", "--strict", "--quiet", "--no-warn", "-k", "1.37.0", "web.yaml", folder=tmp_path
    )


def test_every_file_is_named_once_and_is_there() -> None:
    for folder in (BASE, MIGRATE):
        assert sorted(kustomization(folder)["resources"]) == [path.name for path in files(folder)]
    for folder in OVERLAYS.iterdir():
        overlay = kustomization(folder)
        assert overlay["resources"] == ["../../base"]
        assert sorted(each["path"] for each in overlay["patches"]) == [path.name for path in files(folder)]
    assert {kustomization(folder)["namespace"] for folder in (BASE, MIGRATE, *OVERLAYS.iterdir())} == {"holdfast"}
    for folder in (BASE, MIGRATE):
        assert kustomization(folder)["labels"] == [
            {"includeSelectors": False, "includeTemplates": True, "pairs": ADDED}
        ]


def test_an_overlay_changes_what_there_is() -> None:
    there = {(each["kind"], each["metadata"]["name"]) for each in objects(BASE)}
    names = [(each["kind"], each["metadata"]["name"]) for each in objects(BASE, MIGRATE)]
    assert len(names) == len(set(names))
    for folder in OVERLAYS.iterdir():
        assert {(each["kind"], each["metadata"]["name"]) for each in objects(folder)} <= there
        changed = [each for each in objects(folder) if each["kind"] == "ConfigMap"]
        assert all(set(each["data"]) <= set(of_kind("ConfigMap")["holdfast-settings"]["data"]) for each in changed)


def test_each_process_is_there_and_runs_what_the_compose_file_runs() -> None:
    assert set(deployments()) == set(PROCESSES)
    composed = composition.services()
    for name, pod in pods().items():
        assert container(pod).get("command") == composed[name].get("command"), name
        assert container(pod)["image"] == "holdfast"
    queues = {name: option(container(pods()[name])["command"], "--queues") for name in WORKERS}
    assert queues == {f"worker-{queue}": queue for queue in QUEUES}


def test_its_settings_are_settings_and_are_taken() -> None:
    common: dict[str, str] = of_kind("ConfigMap")["holdfast-settings"]["data"]
    for name, pod in pods().items():
        own = {each["name"]: each["value"] for each in container(pod).get("env", [])}
        assert set(common) | set(own) <= set(settings_names()), name
        read = Environment.read({**REQUIRED, **common, **own}, base=ROOT)
        assert read.mode == "production"
        assert read.metrics_port == (9100 if name in (*WORKERS, "beat") else 0)
        assert read.public_url.removeprefix("https://") in read.allowed_hosts
    rules = of_kind("Ingress")["holdfast"]["spec"]
    hosts = [rule["host"] for rule in rules["rules"]]
    assert hosts == rules["tls"][0]["hosts"]
    assert hosts == common["ALLOWED_HOSTS"].split(",")


def test_secrets_come_by_reference_alone() -> None:
    assert of_kind("Secret") == {}
    for pod in pods().values():
        assert {"secretRef": {"name": "holdfast-secrets"}} in container(pod)["envFrom"]
    given = set(of_kind("ConfigMap")["holdfast-settings"]["data"])
    assert given.isdisjoint(REQUIRED)


def test_nobody_has_rights_that_are_not_needed() -> None:
    # Made by another hand: an account of the cluster that deploys may do nothing outside of it.
    assert of_kind("Namespace") == {}
    (namespace,) = objects(FOLDER)
    assert namespace["metadata"]["name"] == kustomization(BASE)["namespace"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert of_kind("ServiceAccount")["holdfast"]["automountServiceAccountToken"] is False
    for name, pod in pods().items():
        inside, outside = container(pod)["securityContext"], pod["spec"]["securityContext"]
        assert inside == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }, name  # fmt: skip
        assert outside["runAsNonRoot"] is True
        assert outside["runAsUser"] == 10001
        assert outside["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert pod["spec"]["serviceAccountName"] == "holdfast"


def test_what_is_written_has_a_place() -> None:
    for name, pod in pods().items():
        places = {each["mountPath"] for each in container(pod)["volumeMounts"]}
        assert places == ({"/tmp"} if name in ("beat", "migrate") else {"/tmp", "/data"}), name
        assert {each["name"] for each in container(pod)["volumeMounts"]} == {
            each["name"] for each in pod["spec"]["volumes"]
        }


def test_each_process_is_asked_how_it_does_where_it_answers() -> None:
    for name in PROCESSES:
        only = container(pods()[name])
        (port,) = only["ports"]
        web = name in ("web", "live")
        assert (port["name"], port["containerPort"]) == (("http", 8000) if web else ("metrics", 9100))
        assert pods()[name]["metadata"]["annotations"]["prometheus.io/port"] == str(port["containerPort"])
        for probe in ("startupProbe", "livenessProbe"):
            # A database that is away is no reason to restart anything.
            assert only[probe]["httpGet"] == {"path": "/healthz", "port": port["name"]}
        if web:
            assert only["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
            # Each part may take two seconds to say that it is away.
            assert only["readinessProbe"]["timeoutSeconds"] > 2
        else:
            assert "readinessProbe" not in only


def test_each_process_says_what_it_needs() -> None:
    for name, pod in pods().items():
        needs = container(pod)["resources"]
        assert set(needs["requests"]) == {"cpu", "memory"}, name
        # Processor time that nobody else wants is not withheld.
        assert set(needs["limits"]) == {"memory"}, name


def test_what_is_begun_is_finished_before_a_process_is_killed() -> None:
    for name in PROCESSES:
        grace = pods()[name]["spec"]["terminationGracePeriodSeconds"]
        pause = container(pods()[name]).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        if name == "web":
            assert grace > pause + int(option(command_of("web"), "--after")) + settings.ENV.request_seconds
        if name == "live":
            command = container(pods()[name])["command"]
            assert grace > pause + int(option(command, "--after")) + int(option(command, "--workers-kill-timeout"))
        if name in ("web", "live"):
            assert pause >= 5
            assert deployments()[name]["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
        if name in WORKERS:
            assert grace >= 60


def test_there_is_one_beat_at_a_time() -> None:
    spec = deployments()["beat"]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert "beat" not in of_kind("HorizontalPodAutoscaler")
    # A budget would keep the node it is on from ever being emptied.
    assert "beat" not in of_kind("PodDisruptionBudget")


def test_selectors_find_what_they_are_for() -> None:
    labels = {name: {**pod["metadata"]["labels"], **ADDED} for name, pod in pods().items()}
    for name in PROCESSES:
        for selector in (deployments()[name]["spec"]["selector"],):
            assert [each for each in labels if selected(selector, labels[each])] == [name]
        for spread in pods()[name]["spec"].get("topologySpreadConstraints", []):
            assert selected(spread["labelSelector"], labels[name])
    for name, budget in of_kind("PodDisruptionBudget").items():
        assert [each for each in labels if selected(budget["spec"]["selector"], labels[each])] == [name]
    for name, service in of_kind("Service").items():
        found = [each for each in labels if selected({"matchLabels": service["spec"]["selector"]}, labels[each])]
        assert found == ([] if name == "nowhere" else [name])
    for rule in of_kind("Ingress")["holdfast"]["spec"]["rules"]:
        for path in rule["http"]["paths"]:
            backend = path["backend"]["service"]
            assert backend["port"]["name"] in {
                each["name"] for each in of_kind("Service")[backend["name"]]["spec"]["ports"]
            }


def test_what_is_for_those_inside_leads_nowhere_from_outside() -> None:
    web, live = of_kind("Ingress")["holdfast"]["spec"]["rules"]
    paths = {each["path"]: each["backend"]["service"]["name"] for each in web["http"]["paths"]}
    assert paths == {"/metrics": "nowhere", "/readyz": "nowhere", "/": "web"}
    assert [(each["path"], each["pathType"]) for each in live["http"]["paths"]] == [("/graphql", "Exact")]


def test_all_but_beat_grow_and_are_moved_one_at_a_time() -> None:
    scaled = of_kind("HorizontalPodAutoscaler")
    assert set(scaled) == set(of_kind("PodDisruptionBudget")) == set(PROCESSES) - {"beat"}
    queues = {}
    for name, each in scaled.items():
        assert each["spec"]["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
        assert 2 <= each["spec"]["minReplicas"] < each["spec"]["maxReplicas"]
        assert "replicas" not in deployments()[name]["spec"], "an update would undo what was scaled"
        assert each["spec"]["metrics"][0]["resource"]["name"] == "cpu"
        assert of_kind("PodDisruptionBudget")[name]["spec"]["maxUnavailable"] == 1
        for metric in each["spec"]["metrics"][1:]:
            asked = metric["external"]["metric"]
            labels = asked["selector"]["matchLabels"]
            assert set(labels) <= exported()[asked["name"]]
            queues[name] = labels["queue"]
    assert queues == {name: option(container(pods()[name])["command"], "--queues") for name in WORKERS}


def test_nobody_is_reached_but_by_whom_it_says() -> None:
    policies = of_kind("NetworkPolicy")
    assert policies["nothing"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    labels = {name: {**pod["metadata"]["labels"], **ADDED} for name, pod in pods().items()}
    reached = {
        each: [name for name in labels if selected(policies[each]["spec"]["podSelector"], labels[name])]
        for each in ("requests", "metrics", "outside")
    }
    assert sorted(reached["requests"]) == ["live", "web"]
    assert sorted(reached["metrics"]) == sorted(reached["outside"]) == sorted(labels)
    ports = {each["port"] for rule in policies["outside"]["spec"]["egress"] for each in rule["ports"]}
    # PostgreSQL, Redis, RabbitMQ, names, the web, mail, traces.
    assert ports == {53, 5432, 6379, 5672, 80, 443, 465, 587, 4318}
    (everywhere,) = policies["outside"]["spec"]["egress"][1]["to"]
    assert "169.254.0.0/16" in everywhere["ipBlock"]["except"], "who runs in a cloud may not ask for its keys"


def test_no_file_is_left_that_nobody_names() -> None:
    known = {path for folder in (BASE, MIGRATE, *OVERLAYS.iterdir()) for path in folder.iterdir()}
    assert {path for path in FOLDER.rglob("*") if path.is_file()} == known | {
        FOLDER / "roll",
        FOLDER / "namespace.yaml",
    }
