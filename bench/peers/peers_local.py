"""Our side of the benchmark, which reads this file inside its own program (PEERS_LOCAL names it): PEERS, CLEANUP, BOOKED, ENV, ops
and psql are there. What is ours alone is in `requests.py` and `forgetting.py` beside it.

PEERS_CHECKOUTS compares more than this checkout, one peer for each: `before=/some/checkout=database`, separated by commas. Each peer
has a database of its own, since bookings that one made are seen in what another answers. PEERS_PYTHON runs all of them.
"""

import importlib.util as _util
import json as _json
import os as _os
from datetime import UTC as _UTC
from datetime import datetime as _datetime
from pathlib import Path as _Path

_HERE = _Path(_local).resolve().parent  # noqa: F821
_SECRET = "a-secret-of-the-comparison-and-of-nothing-else"


def _read(name):
    spec = _util.spec_from_file_location(f"holdfast_{name}", _HERE / f"{name}.py")
    module = _util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_requests, _forgetting = _read("requests"), _read("forgetting")


def _server(checkout, port, application):
    """Two workers, and in each one thread that answers."""
    interface, module = application
    python = _os.environ.get("PEERS_PYTHON") or f"{checkout}/.venv/bin/python"
    threads = "--blocking-threads 1" if interface == "wsgi" else ""
    return [
        "sh",
        "-c",
        f"cd {checkout} && exec {python} -m granian --interface {interface} --workers 2 {threads} --host 127.0.0.1 "
        f"--port {port} --no-ws --log-level error {module}:application",
    ]


def _environment(database, *, is_cached):
    # PGHOST, which all peers have, names the socket.
    return {
        "DATABASE_URL": f"postgresql://bench@:{ENV['PGPORT']}/{database}",  # noqa: F821
        "REDIS_URL": f"unix://{ENV['REDIS_SOCK']}",  # noqa: F821
        "SIGNING_KEYS": _json.dumps([{"kid": _requests.KEY_ID, "alg": "HS256", "secret": _SECRET}]),
        "SECRET_KEY": "x" * 50,
        "STRIPE_SECRET_KEY": "sk_test_unused",
        "STRIPE_WEBHOOK_SECRET": "whsec_unused",
        "MODE": "production",
        "RATE_LIMITS": "off",
        # What hangs on the moment, as free periods do, is kept for SWEEP_SECONDS at most.
        "CACHE_SECONDS": "300" if is_cached else "0",
        "SWEEP_SECONDS": "300" if is_cached else "5",
        # The others write no line for each request.
        "LOG_LEVEL": "error",
        "ACCESS_LOG": "off",
        "DJANGO_SETTINGS_MODULE": "booking.settings",
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONWARNINGS": "ignore",
    }


def _request(op, v, uid):
    if op == "Q2":
        v = {"id": v["id"]}
    elif op == "M1":
        v = {
            "listing": ops.listing_id("project", v["listing"]),  # noqa: F821
            "start": ops.day_of(v["start"]),  # noqa: F821
            "end": ops.day_of(v["end"]),  # noqa: F821
        }
    path, caller, body = _requests.request(op, v, uid, secret=_SECRET, now=_datetime.now(_UTC))
    return "POST", path, caller, body


def _normal(op, body):
    return _requests.normal(op, body, now=_datetime.now(_UTC))


def _cleanup(database):
    def clean():
        which = _forgetting.OF_THE_COMPARISON
        psql("BEGIN; " + "; ".join(_forgetting.statements(which)) + "; COMMIT", database)  # noqa: F821
        for table in _forgetting.WRITTEN:
            psql(f"VACUUM ANALYZE {table}", database)  # noqa: F821

    return clean


def _booked(database):
    return lambda: psql(_forgetting.COUNT, database)  # noqa: F821


def _join(name, checkout, port, database, application, *, is_cached=False):
    PEERS[name] = (_server(checkout, port, application), port, "project", _environment(database, is_cached=is_cached))  # noqa: F821
    CLEANUP[name] = _cleanup(database)  # noqa: F821
    BOOKED[name] = _booked(database)  # noqa: F821


ops.EXTRA["project"] = (_request, _normal)  # noqa: F821
ops.LISTING_ID["project"] = _requests.listing_id  # noqa: F821
_join("project", _HERE.parent.parent, 8200, "project", ("wsgi", "bench.peers.wsgi"))
_join("project_asgi", _HERE.parent.parent, 8201, "project_asgi", ("asgi", "bench.peers.asgi"))
_join("project_cached", _HERE.parent.parent, 8202, "project_cached", ("wsgi", "bench.peers.wsgi"), is_cached=True)
for _turn, _checkout in enumerate(filter(None, _os.environ.get("PEERS_CHECKOUTS", "").split(","))):
    _name, _place, _its = _checkout.split("=")
    _join(_name, _place, 8210 + _turn, _its, ("wsgi", "bench.peers.wsgi"))
