"""What templates ask about kept mails."""

from django import template

from apps.core import mailbox

register = template.Library()


@register.simple_tag
def mails_can_be_read() -> bool:
    """Whether the page that lists them is there."""
    return mailbox.is_open()
