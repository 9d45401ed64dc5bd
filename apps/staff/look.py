"""The theme's settings: names, colours and where the navigation comes from."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static


def _shades(*values: str) -> dict[str, str]:
    """Eleven shades of a colour, from the lightest to the darkest."""
    steps = ("50", "100", "200", "300", "400", "500", "600", "700", "800", "900", "950")
    return dict(zip(steps, (f"oklch({value})" for value in values), strict=True))


def _own_styles(request: HttpRequest) -> str:
    return static("staff/admin.css")


LOOK: dict[str, Any] = {
    "SITE_TITLE": "Holdfast",
    "SITE_HEADER": "Holdfast",
    "SITE_SUBHEADER": "Bookings desk",
    "SITE_SYMBOL": "anchor",
    "SITE_URL": None,
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "BORDER_RADIUS": "6px",
    "COLORS": {
        # A cool slate, and the teal of deep water.
        "base": _shades(
            "98.4% .003 247.9", "96.8% .007 247.9", "92.9% .013 255.5", "86.9% .022 252.9", "70.4% .04 256.8",
            "55.4% .046 257.4", "44.6% .043 257.3", "37.2% .044 257.3", "27.9% .041 260", "20.8% .042 265.8",
            "12.9% .042 264.7",
        ),
        "primary": _shades(
            "98.4% .014 180.7", "95.3% .051 180.8", "91% .096 180.4", "85.5% .138 181.1", "77.7% .152 181.9",
            "64% .13 183", "52% .105 185", "45% .09 187", "38.6% .076 188", "32% .06 189", "24% .046 192",
        ),
    },
    "STYLES": [_own_styles],
    "ACCOUNT": {"navigation": "apps.staff.navigation.account_links"},
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "show_all_applications": False,
        "navigation": "apps.staff.navigation.navigation",
    },
}  # fmt: skip
