"""The compose file: each process once, closed in as far as it can be, and stopped as it wants to be."""

import re

import pytest

from booking import settings
from booking.env import Environment
from booking.queues import QUEUES
from tests.deploy.composition import GIVEN, Missing, composition, services, variables
from tests.deploy.fleet import command_of
from tests.deploy.linters import ROOT, complaints
from tests.deploy.test_image import variables_of
from tests.readme.test_env_example import REQUIRED
from tests.readme.test_env_example import names as settings_names
from tests.readme.test_env_example import values as settings_values

WORKERS = tuple(f"worker-{queue}" for queue in QUEUES)
PRODUCT = ("web", "live", *WORKERS, "beat", "migrate")
# What only the compose file reads, not the product.
OF_COMPOSE = {"DATABASE_PASSWORD", "RABBITMQ_PASSWORD", "PROXY_ADDRESS", "HTTP_ADDRESS", "HTTPS_ADDRESS"}


def seconds(text: str) -> int:
    found = re.fullmatch(r"(\d+)s", text)
    assert found, text
    return int(found[1])


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


def test_it_is_what_compose_takes() -> None:
    assert complaints("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml") == ""


def test_all_that_is_needed_is_there_and_what_is_optional_is_asked_for() -> None:
    found = services()
    assert {name for name, each in found.items() if "profiles" not in each} == {
        "proxy", *PRODUCT, "postgres", "redis",
    }  # fmt: skip
    assert {name: each["profiles"] for name, each in found.items() if "profiles" in each} == {
        "rabbitmq": ["rabbitmq"],
        "stripe": ["stripe"],
    }
    assert found["postgres"]["image"].startswith("postgres:18")


def test_every_variable_is_a_setting_or_explained_at_the_top() -> None:
    assert variables() - set(settings_names()) == OF_COMPOSE
    head = (ROOT / "docker-compose.yml").read_text().partition("\nname:")[0]
    for name in OF_COMPOSE:
        assert name in head


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_it_does_not_start_without_what_has_no_default(name: str) -> None:
    with pytest.raises(Missing, match=name):
        composition({**GIVEN, name: ""})


def test_settings_of_the_product_are_settings() -> None:
    for name in PRODUCT:
        assert set(services()[name]["environment"]) <= set(settings_names())
        assert services()[name]["env_file"] == ".env"


@pytest.mark.parametrize("name", [*PRODUCT, "stripe"])
def test_what_is_ours_is_closed_in(name: str) -> None:
    each = services()[name]
    assert each["read_only"] is True
    assert each["cap_drop"] == ["ALL"]
    assert each["security_opt"] == ["no-new-privileges:true"]
    assert "ports" not in each or name == "stripe"


def test_only_the_proxy_can_be_reached_and_only_from_this_machine_unless_said_otherwise() -> None:
    ports = {name: each["ports"] for name, each in services().items() if "ports" in each}
    assert ports == {"proxy": ["127.0.0.1:8000:80", "127.0.0.1:8443:443"], "stripe": ["127.0.0.1:12111:12111"]}
    assert composition()["networks"]["inside"] == {"internal": True}
    for name in ("postgres", "redis", "rabbitmq"):
        assert services()[name]["networks"] == ["inside"]
    assert services()["proxy"]["networks"] == ["outside"]


def test_every_part_says_how_it_does() -> None:
    for name, each in services().items():
        # The image of ours brings its own; it is asked where the process listens.
        if name in ("web", "live"):
            assert (each["environment"]["PORT"], each["environment"]["METRICS_PORT"]) == ("8000", "0")
        elif name in (*WORKERS, "beat"):
            assert each["environment"]["METRICS_PORT"] == "9100"
        elif name == "migrate":
            assert each["healthcheck"] == {"disable": True}
        elif name != "stripe":
            assert each["healthcheck"]["test"][0] == "CMD"


def test_nothing_starts_before_what_it_needs() -> None:
    for name in PRODUCT:
        needs = {part: each["condition"] for part, each in services()[name]["depends_on"].items()}
        servers = {"postgres": "service_healthy", "redis": "service_healthy"}
        if name == "migrate":
            assert needs == servers
            assert services()[name]["restart"] == "no"
        else:
            assert needs == {**servers, "rabbitmq": "service_healthy", "migrate": "service_completed_successfully"}
            assert services()[name]["depends_on"]["rabbitmq"]["required"] is False
    assert set(services()["proxy"]["depends_on"]) == {"web", "live"}


def test_each_queue_has_a_worker_and_there_is_one_beat() -> None:
    workers = {name: each["command"] for name, each in services().items() if "worker" in each.get("command", [])}
    queues = {name: option(command, "--queues") for name, command in workers.items()}
    assert queues == {f"worker-{queue}": queue for queue in QUEUES}
    assert [name for name, each in services().items() if "beat" in each.get("command", [])] == ["beat"]
    assert "deploy" not in services()["beat"]
    assert "scale" not in services()["beat"]


def test_what_is_begun_is_finished_before_a_process_is_killed() -> None:
    """The server gives its requests as long as one may take; Docker gives the server a little more than that."""
    patience = settings.ENV.request_seconds
    recipe = (ROOT / "Dockerfile").read_text()
    of_web = re.search(r"--workers-kill-timeout (\d+) ", recipe)
    assert of_web
    assert int(of_web[1]) >= patience
    # First it says that it will stop, then it finishes what it has begun.
    saying = int(option(command_of("web"), "--after"))
    assert seconds(services()["web"]["stop_grace_period"]) > int(of_web[1]) + saying
    of_live = services()["live"]["command"]
    finishing = int(option(of_live, "--workers-kill-timeout"))
    assert seconds(services()["live"]["stop_grace_period"]) > finishing + int(option(of_live, "--after"))
    assert seconds(services()["proxy"]["stop_grace_period"]) > patience
    for name in WORKERS:
        assert seconds(services()[name]["stop_grace_period"]) >= 60
    assert all("stop_grace_period" in each for each in services().values())


def test_live_is_the_same_server_as_web() -> None:
    web = command_of("web")
    live: list[str] = services()["live"]["command"]
    assert "command" not in services()["web"]
    differing = {(ours, theirs) for ours, theirs in zip(web, live, strict=True) if ours != theirs}
    assert differing == {("30", "10")}


def test_a_copy_of_the_example_with_what_is_required_is_enough() -> None:
    example = {name: value for name, value in settings_values().items() if value}
    environment = services({**example, **GIVEN})["web"]["environment"]
    assert environment["RECEIPT_FONTS"] == variables_of("product")["RECEIPT_FONTS"]
    # The fonts are in the image alone.
    read = Environment.read({**example, **REQUIRED, **environment, "RECEIPT_FONTS": ""}, base=ROOT)
    assert (read.database["HOST"], read.database["PASSWORD"]) == ("postgres", "secret1")
    assert read.redis_url == "redis://redis:6379/0"
    assert read.allowed_hosts == ["127.0.0.1", "localhost", "[::1]", "web"]
    assert read.public_url == "http://127.0.0.1:8000"
    assert (read.trusted_proxies, read.metrics_port) == (1, 0)
    # The broker is left to .env.
    assert "BROKER_URL" not in environment
