"""Stripe's form encoding, and the check of parameters before an endpoint runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from sandbox.stripe.currencies import CURRENCIES
from sandbox.stripe.errors import invalid

Parser = Callable[[Any, str], Any]

MOST_FIELDS = 1_000
MOST_AMOUNT = 99_999_999
_DEEPEST = 6
_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)\Z")
_INTEGER = re.compile(r"-?[0-9]{1,19}\Z")


class Needed:
    """Marks a parameter without which a request is refused."""

    def __init__(self, parser: Parser) -> None:
        self.parser = parser


Spec = Mapping[str, "Parser | Needed"]


def decode(raw: bytes) -> dict[str, Any]:
    """
    The nested parameters of a form body or query string: `a[b]=1&c[]=2` is `{"a": {"b": "1"}, "c": ["2"]}`.

    Raises ApiError 400 for what is no such form.
    """
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except UnicodeDecodeError:
        raise invalid("Invalid UTF-8 in request parameters.", param=None) from None
    except ValueError:
        raise invalid(f"Too many parameters: at most {MOST_FIELDS} are taken.", param=None) from None
    result: dict[str, Any] = {}
    for name, value in pairs:
        if "\x00" in name or "\x00" in value:
            raise invalid("Invalid string: it may not contain a NUL character.", param=name.replace("\x00", "")[:100])
        _place(result, name, value)
    return result


def _place(result: dict[str, Any], name: str, value: str) -> None:
    match = _NAME.match(name)
    if match is None:
        raise invalid(f"Invalid parameter name: {name[:100]}", param=name[:100])
    keys = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])]
    if len(keys) > _DEEPEST:
        raise invalid(f"Parameter nested too deeply: {name[:100]}", param=name[:100])
    here = result
    for index, key in enumerate(keys):
        last = index == len(keys) - 1
        if last:
            if isinstance(here.get(key), dict | list):
                raise _clash(name)
            here[key] = value
        elif keys[index + 1] == "" and index == len(keys) - 2:
            items = here.setdefault(key, [])
            if not isinstance(items, list):
                raise _clash(name)
            items.append(value)
            return
        else:
            inner = here.setdefault(key, {})
            if not isinstance(inner, dict):
                raise _clash(name)
            here = inner


def _clash(name: str) -> Exception:
    return invalid(f"Invalid parameters: '{name[:100]}' is given as two different shapes.", param=name[:100])


def check(given: Mapping[str, Any], spec: Spec, within: str = "") -> dict[str, Any]:
    """
    The given parameters, each as its parser reads it; those not given are absent.

    Raises ApiError 400: `parameter_unknown`, `parameter_missing`, or the parser's own.
    """
    unknown = [_inside(within, name) for name in given if name not in spec]
    if unknown:
        plural = "s" if len(unknown) > 1 else ""
        raise invalid(
            f"Received unknown parameter{plural}: {', '.join(unknown)[:500]}",
            param=unknown[0][:100],
            code="parameter_unknown",
        )
    result: dict[str, Any] = {}
    for name, parser in spec.items():
        label = _inside(within, name)
        if name not in given:
            if isinstance(parser, Needed):
                raise invalid(f"Missing required param: {label}.", param=label, code="parameter_missing")
            continue
        if isinstance(parser, Needed):
            if given[name] == "":
                raise _empty(label)
            parser = parser.parser
        result[name] = parser(given[name], label)
    return result


def _inside(within: str, name: str) -> str:
    return f"{within}[{name}]" if within else name


def _empty(param: str) -> Exception:
    return invalid(
        f"You passed an empty string for '{param}'. We assume empty values are an attempt to unset a parameter; "
        f"however '{param}' cannot be unset. You should remove '{param}' from your request or supply a "
        "non-empty value.",
        param=param,
        code="parameter_invalid_empty",
    )


def text(longest: int = 5_000) -> Parser:
    """A string of at most `longest` characters; the empty string is None, which unsets."""

    def parse(value: Any, param: str) -> str | None:
        if not isinstance(value, str):
            raise invalid(f"Invalid string: {str(value)[:100]}", param=param)
        if len(value) > longest:
            raise invalid(
                f"Invalid string: {value[:20]}...; must be at most {longest} characters",
                param=param,
                code="parameter_invalid_string",
            )
        return value or None

    return parse


def integer(least: int | None = None, most: int | None = None) -> Parser:
    """A whole number within the bounds."""

    def parse(value: Any, param: str) -> int:
        if value == "":
            raise _empty(param)
        if not isinstance(value, str) or not _INTEGER.match(value):
            raise invalid(f"Invalid integer: {str(value)[:100]}", param=param, code="parameter_invalid_integer")
        number = int(value)
        if least is not None and number < least:
            raise invalid(
                f"This value must be greater than or equal to {least}.", param=param, code="parameter_invalid_integer"
            )
        if most is not None and number > most:
            raise invalid(
                f"This value must be less than or equal to {most}.", param=param, code="parameter_invalid_integer"
            )
        return number

    return parse


def amount(value: Any, param: str) -> int:
    """A positive number of the currency's smallest unit."""
    number: int = integer(least=1)(value, param)
    if number > MOST_AMOUNT:
        raise invalid(f"Amount must be no more than {MOST_AMOUNT}", param=param, code="amount_too_large")
    return number


def boolean(value: Any, param: str) -> bool:
    """`true` or `false`."""
    if value == "":
        raise _empty(param)
    if value not in ("true", "false"):
        raise invalid(f"Invalid boolean: {str(value)[:100]}", param=param)
    return bool(value == "true")


def one_of(*choices: str) -> Parser:
    """One of the given words."""

    def parse(value: Any, param: str) -> str:
        if value == "":
            raise _empty(param)
        if value not in choices:
            listed = choices[0] if len(choices) == 1 else f"one of {', '.join(choices[:-1])}, or {choices[-1]}"
            raise invalid(f"Invalid {param}: must be {listed}", param=param)
        return str(value)

    return parse


def off_session(value: Any, param: str) -> bool:
    """`true`, `false`, or one of the words `one_off` and `recurring`, which mean true."""
    return True if value in ("one_off", "recurring") else boolean(value, param)


def currency(value: Any, param: str) -> str:
    """A currency that Stripe takes, in lower case."""
    if value == "":
        raise _empty(param)
    code = value.lower() if isinstance(value, str) else ""
    if code not in CURRENCIES:
        raise invalid(
            f"Invalid currency: {str(value)[:20]}. Stripe currently supports these currencies: {', '.join(CURRENCIES)}",
            param=param,
        )
    return code


def metadata(value: Any, param: str) -> dict[str, str] | None:
    """Keys and strings to merge; an empty value unsets its key, None unsets them all."""
    if value == "":
        return None
    if not isinstance(value, dict):
        raise invalid(f"Invalid hash: {str(value)[:100]}", param=param)
    if len(value) > 50:
        raise invalid("Metadata can have up to 50 keys.", param=param)
    for key, item in value.items():
        label = f"{param}[{key[:40]}]"
        if len(key) > 40:
            raise invalid(f"Metadata keys can have up to 40 characters. Invalid key: {key[:50]}", param=label)
        if not isinstance(item, str):
            raise invalid(f"Invalid string: {str(item)[:100]}", param=label)
        if len(item) > 500:
            raise invalid(
                f"Metadata values can have up to 500 characters, but you passed in a value that is {len(item)} "
                f"characters. Invalid value: {item[:20]}...",
                param=label,
            )
    return value


def nested(spec: Spec) -> Parser:
    """A hash with the given names."""

    def parse(value: Any, param: str) -> dict[str, Any] | None:
        if value == "":
            return None
        if not isinstance(value, dict):
            raise invalid(f"Invalid hash: {str(value)[:100]}", param=param)
        return check(value, spec, within=param)

    return parse


def gone(value: Any, param: str) -> None:
    """A parameter that this version of the API has dropped: always refused, with a code of its own."""
    raise invalid(
        f"The `{param}` parameter is no longer supported. Use `allowed_{param}` to limit what is offered.",
        param=param,
        code=f"{param}_no_longer_supported",
    )


def anything(value: Any, param: str) -> Any:
    """A parameter that is taken, and means nothing here beyond being kept."""
    return None if value == "" else value


def many(parser: Parser) -> Parser:
    """An array, as `a[]=x` or `a[0]=x`."""

    def parse(value: Any, param: str) -> list[Any]:
        if value == "":
            return []
        if isinstance(value, dict) and all(key.isascii() and key.isdigit() and len(key) < 6 for key in value):
            value = [value[key] for key in sorted(value, key=int)]
        if not isinstance(value, list):
            raise invalid(f"Invalid array: {str(value)[:100]}", param=param)
        return [parser(item, f"{param}[{index}]") for index, item in enumerate(value)]

    return parse


def instants(value: Any, param: str) -> dict[str, int]:
    """A filter on an instant in epoch seconds: one number, or a hash of `gt`, `gte`, `lt`, `lte`."""
    number = integer()
    if isinstance(value, str):
        exact: int = number(value, param)
        return {"gte": exact, "lte": exact}
    bounds: dict[str, int] = nested({"gt": number, "gte": number, "lt": number, "lte": number})(value, param) or {}
    return bounds


PAGE: Spec = {
    "limit": integer(1, 100),
    "starting_after": text(255),
    "ending_before": text(255),
    "created": instants,
}
