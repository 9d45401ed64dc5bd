"""What people say about themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import DomainError, ErrorCode
from apps.users.profiles import LONGEST_DEVICE, clean_name, clean_phone_number, device_of

CHROME = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36"
EDGE = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36 Edg/142.0"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (None, ""),
        ("  ", ""),
        ("+49 (30) 90-18.20", "+4930901820"),
        ("030/901820", "030901820"),
        ("1234567", "1234567"),
        ("123456789012345", "123456789012345"),
        # No country has this prefix; it is kept, since plans change.
        ("+9991234567", "+9991234567"),
    ],
)
def test_phone_numbers_that_are_kept(typed: str | None, kept: str) -> None:
    assert clean_phone_number(typed, field="phone_number") == kept


@pytest.mark.parametrize(
    "typed", ["123456", "1234567890123456", "++4930901820", "+49x", "٣٣٣٣٣٣٣٣", "1" * 21, "12345\x0067"]
)
def test_phone_numbers_that_are_none(typed: str) -> None:
    with pytest.raises(DomainError) as refused:
        clean_phone_number(typed, field="phone_number")
    assert refused.value.code is ErrorCode.INVALID
    assert refused.value.field == ("phone_number",)


@given(st.text(max_size=30))
def test_a_kept_phone_number_is_kept_again(typed: str) -> None:
    try:
        kept = clean_phone_number(typed, field="phone_number")
    except DomainError:
        return
    assert len(kept) <= 20
    assert clean_phone_number(kept, field="phone_number") == kept


def test_names_are_trimmed_and_bounded() -> None:
    assert clean_name(" Ada ", field="first_name") == "Ada"
    assert clean_name("x" * 150, field="first_name") == "x" * 150
    for bad in ("x" * 151, "a\nb", "a\x00", ""):
        with pytest.raises(DomainError):
            clean_name(bad, field="first_name")


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        (CHROME, "Chrome on Android"),
        (EDGE, "Edge on Windows"),
        (SAFARI, "Safari on iPhone"),
        ("curl/8.5.0", "curl"),
        ("", ""),
    ],
)
def test_devices(user_agent: str, device: str) -> None:
    assert device_of(user_agent) == device


@given(st.text(max_size=500))
def test_any_user_agent_is_shortened(user_agent: str) -> None:
    device = device_of(user_agent)
    assert len(device) <= LONGEST_DEVICE
    assert device.isprintable()
