"""Signatures: the standard's own example, and the code of the README on messages that really arrived."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from apps.integrations.models import WebhookEndpoint
from apps.integrations.signing import secret_of, signature
from tests.integrations.receiver import Message, Receiver
from tests.integrations.world import NOW, happen, listen, send
from tests.recipes import make_property

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()
SECTION = README.partition("\n## Webhooks\n")[2].partition("\n## ")[0]

Verifier = Callable[[str, dict[str, str], bytes, float], bool]


def test_the_example_of_the_standards_library_is_signed_as_there() -> None:
    signed = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body=b'{"test": 2432232314}',
    )
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_every_endpoint_and_version_has_a_secret_of_its_own(settings: Any) -> None:
    rows = [WebhookEndpoint(pk=pk, nonce=nonce) for pk, nonce in ((1, "a"), (2, "a"), (1, "b"))]
    found = [secret_of(row, version=version) for row in rows for version in (1, 2)]
    assert len(set(found)) == 6
    settings.SECRET_KEY = "another secret key, of thirty-two letters"
    assert secret_of(rows[0], version=1) not in found


def in_python(secret: str, headers: dict[str, str], body: bytes, now: float) -> bool:
    (code,) = re.findall(r"^```python\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    answer: bool = names["is_ours"](secret, headers, body, now)
    return answer


def in_node(secret: str, headers: dict[str, str], body: bytes, now: float) -> bool:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    (code,) = re.findall(r"^```js\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
    given = json.dumps([secret, headers, body.decode("latin-1"), now])
    code += "\nconst [secret, headers, body, now] = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));"
    code += "\nprocess.stdout.write(String(isOurs(secret, headers, Buffer.from(body, 'latin1'), now)));"
    done = subprocess.run([node, "-e", code], input=given, capture_output=True, text=True, timeout=300, check=True)
    return {"true": True, "false": False}[done.stdout]


@pytest.mark.django_db
@pytest.mark.parametrize("verify", [in_python, in_node])
def test_the_readmes_code_takes_what_is_ours_and_nothing_else(receiver: Receiver, verify: Verifier) -> None:
    home = make_property(title="Übernachtung")
    endpoint, secret = listen(home.host, f"{receiver.url}/")
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(secret_version=2, previous_secret_until=NOW.replace(hour=23))
    endpoint.refresh_from_db()
    happen(home)
    send()
    (message,) = receiver.taken
    now = NOW.timestamp()
    # Both secrets are good while one replaces the other.
    assert verify(secret_of(endpoint), message.headers, message.raw, now)
    assert verify(secret, message.headers, message.raw, now + 299)
    for tampered in changes(message):
        assert not verify(secret, *tampered, now)
    assert not verify("whsec_" + "A" * 44, message.headers, message.raw, now)
    assert not verify(secret, message.headers, message.raw, now + 301)
    assert not verify(secret, message.headers, message.raw, now - 301)


def changes(message: Message) -> list[tuple[dict[str, str], bytes]]:
    headers = message.headers
    return [
        (headers, message.raw + b" "),
        (headers, message.raw.replace(b"updated", b"deleted")),
        ({**headers, "webhook-id": "evt_other"}, message.raw),
        ({**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}, message.raw),
        ({**headers, "webhook-signature": "v1,AAAA"}, message.raw),
        ({**headers, "webhook-signature": ""}, message.raw),
    ]
