"""What the theme's templates have to be told differently so that the admin keeps a strict Content-Security-Policy.

The theme drives its menus with Alpine, whose ordinary build evaluates the attributes of a page as JavaScript: that would need
'unsafe-eval', and any markup that slips into a page would run. Alpine's build for strict policies (`static/staff/alpine`) has
a small language of its own instead, without functions and without the globals of the page. The few expressions that go beyond
it are replaced here by names that `static/staff/admin.js` defines, and inline styles by a nonce.

A passage that a new version of the theme does not have any more stops the page with the passage's name, and a test renders
each template that is patched.
"""

import re
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.template.base import Origin
from django.template.loaders.app_directories import Loader

ALPINE = "{% static 'unfold/js/alpine/alpine.js' %}"
FOR_THE_BODY = re.compile(r'x-data="\{\s*\{% if opts %\}activeTab:.*?"\s*x-init=".*?"\s*>', re.DOTALL)
WHERE_THE_FORM_GOES = re.compile(r' x-bind:action="activeTab && [^"]*"')

# Template, passage as it is, passage as it is to be.
PATCHES: dict[str, tuple[tuple[str | re.Pattern[str], str], ...]] = {
    "unfold/layouts/skeleton.html": (
        (f'<script src="{ALPINE}" defer>', "<script src=\"{% static 'staff/alpine/alpine-csp.min.js' %}\" defer>"),
        (
            "<script src=\"{% static 'unfold/js/htmx/htmx.js' %}\">",
            # htmx brings no styles of its own, and runs nothing that came with an answer.
            '<meta name="htmx-config" content=\'{"includeIndicatorStyles": false, "allowEval": false, "allowScriptTags": false}\'>'
            "<script src=\"{% static 'unfold/js/htmx/htmx.js' %}\">",
        ),
        (
            "<script src=\"{% static 'unfold/js/app.js' %}\">",
            "<script src=\"{% static 'unfold/js/app.js' %}\"></script><script src=\"{% static 'staff/admin.js' %}\">",
        ),
        ('<style id="unfold-theme-colors">', '<style id="unfold-theme-colors" nonce="{{ request.csp_nonce }}">'),
        (FOR_THE_BODY, "x-data=\"page('{% if opts %}{% tabs_primary_active inline_admin_formsets %}{% endif %}')\">"),
    ),
    "unfold/helpers/welcomemsg.html": (
        (" localStorage.setItem('sidebarDesktopOpen', sidebarDesktopOpen ? '1' : '0');", ""),
        # All rows are never counted, so there is only something to go back from where somebody searched or filtered.
        ("{% if cl and cl.full_result_count != cl.result_count and", "{% if cl.query or cl.has_active_filters and"),
    ),
    "unfold/helpers/pagination_default.html": (
        ("{{ cl.result_count }}", "{{ cl.result_count }}{% if cl.paginator.is_cut %}+{% endif %}"),
    ),
    "unfold/helpers/search.html": (
        (
            "openSearchResults = false; if ($refs.searchInput.value === '') { $refs.searchInput.blur() }"
            " else { $refs.searchInput.value = '' }",
            "leave()",
        ),
    ),
    "unfold/helpers/command.html": (("if (!$event.metaKey && !$event.ctrlKey) selectItem(", "selectHere($event, "),),
    "admin/change_list.html": (("<style>", '<style nonce="{{ request.csp_nonce }}">'),),
    "admin/actions.html": (("\"'width: ' + changeListWidth + 'px'\"", "\"{width: changeListWidth + 'px'}\""),),
    "admin/change_form.html": (
        # With the bound address gone the form goes to where it came from, and the tab is kept by `page` when it is sent.
        (WHERE_THE_FORM_GOES, ""),
    ),
}


class PatchingLoader(Loader):
    """Finds the templates of apps as Django does, and gives those of the theme as PATCHES say."""

    def get_contents(self, origin: Origin) -> str:
        """Raises ImproperlyConfigured where the theme has another text than the patch was made for."""
        contents = str(super().get_contents(origin))
        name = str(origin.template_name)
        if name not in PATCHES or "unfold" not in Path(origin.name).parts:
            return contents
        for old, new in PATCHES[name]:
            pattern = old if isinstance(old, re.Pattern) else re.compile(re.escape(old))
            contents, found = pattern.subn(lambda _match, new=new: new, contents)  # type: ignore[misc]
            if not found:
                raise ImproperlyConfigured(f"the theme's {name} has no {pattern.pattern!r} to be patched any more.")
        return contents
