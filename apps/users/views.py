"""The pages of accounts that are no GraphQL."""

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.views.decorators.http import condition, require_safe

from apps.core.ids import digest
from apps.users import keys


def _tag(request: HttpRequest) -> str:
    return f'"{digest(repr(keys.public_key_set(settings.SIGNING_KEYS)))[:32]}"'


@require_safe
@condition(etag_func=_tag)
def signing_keys(request: HttpRequest) -> HttpResponseBase:
    """`/.well-known/jwks.json`: the public keys of our access tokens, for services that check them themselves."""
    response = JsonResponse(keys.public_key_set(settings.SIGNING_KEYS), content_type="application/jwk-set+json")
    response["Cache-Control"] = f"public, max-age={keys.MAX_AGE_SECONDS}"
    # Nothing here is a secret: pages of any origin may read it.
    response["Access-Control-Allow-Origin"] = "*"
    return response
