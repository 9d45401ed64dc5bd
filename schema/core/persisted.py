"""Documents that clients name instead of sending them.

Automatic persisted queries: a client sends `extensions.persistedQuery.sha256Hash` (version 1) without the text, is told
PERSISTED_QUERY_NOT_FOUND, and sends both once; from then on the hash is enough, in a GET too. `documentId` names a document in
the same way ("sha256:<hash>", or the id of a registered one).

Registered operations: with a manifest (REGISTERED_OPERATIONS) nothing else is answered, to nobody but staff.

What clients taught is kept in Redis for all processes, for an hour, and for a week from its last use; without Redis each
process knows what it was taught itself, and the client's second request, with the text, always works.
"""

from __future__ import annotations

import functools
import hmac
import logging
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django_redis import get_redis_connection
from redis import RedisError

from schema.core.context import Context
from schema.core.errors import BadUserInput, Code, RateLimited, RequestError
from schema.core.limits import DOCUMENTS, caller_of
from schema.core.manifests import sha256_of

logger = logging.getLogger(__name__)

KEPT_TEXTS = 512
# In characters; a longer document is answered and not kept.
LONGEST_TEXT = 20_000
NEW_SECONDS = 3_600
USED_SECONDS = 7 * 24 * 3_600
_writing = threading.Lock()
HASH = re.compile(r"[0-9a-f]{64}")
LONGEST_ID = 200


class PersistedQueryNotFound(RequestError):
    """The words are those that Apollo's clients look for."""

    code = Code.PERSISTED_QUERY_NOT_FOUND
    default_message = "PersistedQueryNotFound"


@dataclass(frozen=True, slots=True)
class DocumentName:
    """What a client calls a document: `digest` when it claims to be the SHA-256 of the text, else `id` of a manifest."""

    digest: str = ""
    id: str = ""


def read_name(parameters: Mapping[str, Any]) -> DocumentName | None:
    """The name in the parameters of a request, None without one. Raises BadUserInput for what can be no name."""
    extensions = parameters.get("extensions")
    persisted = extensions.get("persistedQuery") if isinstance(extensions, Mapping) else None
    if persisted is not None:
        digest = persisted.get("sha256Hash") if isinstance(persisted, Mapping) else None
        if not isinstance(persisted, Mapping) or persisted.get("version") != 1 or not _is_hash(digest):
            raise BadUserInput("persistedQuery must be {version: 1, sha256Hash: 64 hexadecimal digits}.")
        return DocumentName(digest=str(digest))
    name = parameters.get("documentId")
    if name is None:
        return None
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_ID:
        raise BadUserInput(f"documentId must be a text of at most {LONGEST_ID} characters.")
    if name.startswith("sha256:"):
        if not _is_hash(name.removeprefix("sha256:")):
            raise BadUserInput("documentId must be sha256: and 64 hexadecimal digits.")
        return DocumentName(digest=name.removeprefix("sha256:"))
    return DocumentName(id=name)


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and HASH.fullmatch(value) is not None


def text_of(query: str, name: DocumentName | None, *, context: Context) -> str:
    """The text of the document that was sent or named.

    Raises PersistedQueryNotFound for a name that is not known, and BadUserInput for a hash of another text, or for a text that
    is not registered where only registered ones are answered.
    """
    registered = settings.REGISTERED_OPERATIONS
    if registered is not None and not context.is_staff:
        return _registered(registered, query, name)
    if query:
        if name is not None and name.digest and not hmac.compare_digest(sha256_of(query), name.digest):
            raise BadUserInput("sha256Hash is not that of the query.")
        return query
    if name is None:
        raise BadUserInput("query must be a text.")
    known = (registered or {}).get(name.id or name.digest)
    if known is None and name.digest:
        known = _taught(name.digest)
    if known is None:
        raise PersistedQueryNotFound
    return known


def _registered(registered: Mapping[str, str], query: str, name: DocumentName | None) -> str:
    key = (name.digest or name.id) if name is not None else sha256_of(query)
    text = registered.get(key)
    if text is None and (query or name is None):
        raise BadUserInput("Only registered operations are answered here.")
    if text is None:
        raise PersistedQueryNotFound
    if query and text != query:
        raise BadUserInput("sha256Hash is not that of the query.")
    return text


def keep(query: str, name: DocumentName | None, *, context: Context) -> None:
    """Remember a valid document that came with its hash."""
    if name is None or not name.digest or len(query) > LONGEST_TEXT or name.digest in _texts():
        return
    try:
        DOCUMENTS.spend(caller_of(context))
        get_redis_connection("default").set(_key(name.digest), query, ex=NEW_SECONDS)
    except RateLimited:
        # The caller is answered all the same and sends the text again next time.
        return
    except RedisError:
        logger.warning("A persisted query is kept in this process only")
    _remember(name.digest, query)


def _taught(digest: str) -> str | None:
    text = _texts().get(digest)
    if text is None:
        try:
            raw = get_redis_connection("default").getex(_key(digest), ex=USED_SECONDS)
        except RedisError:
            logger.warning("Persisted queries of other processes cannot be looked up")
            return None
        text = raw.decode() if raw is not None else None
        # Whatever else writes to that Redis cannot put words into a client's mouth.
        if text is None or sha256_of(text) != digest:
            return None
        _remember(digest, text)
    return text


def _remember(digest: str, text: str) -> None:
    texts = _texts()
    with _writing:
        while len(texts) >= KEPT_TEXTS:
            # The oldest first: what is still in use comes back from Redis.
            texts.pop(next(iter(texts)))
        texts[digest] = text


@functools.cache
def _texts() -> dict[str, str]:
    return {}


def _key(digest: str) -> str:
    return f"holdfast:documents:{digest}"
