"""What staff does to a row in Django admin: told beforehand in words, confirmed by POST, and done once.

An `Act` says what it is going to do (`foresee`), for the same rules as the action that does it (`act`). What the page of
confirmation said is signed and comes back with the confirmation, so that nothing else is done.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django import forms
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from unfold.enums import ActionVariant


@dataclass(frozen=True, slots=True)
class Foresight:
    """What an act is going to do, in sentences. `terms` are what it is done with, as JSON."""

    sentences: list[str]
    terms: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


class Act(ABC):
    """One thing that staff does to a row. `permission` is asked for beside seeing the row; `model` is "app.Model"."""

    name: str
    model: str
    title: str
    done: str
    icon: str
    permission: str
    is_grave: bool = False
    form: type[forms.Form] | None = None

    def is_offered(self, row: Any) -> bool:
        """Whether the row's page shows a button for it. The act itself refuses by itself."""
        return True

    def make_form(self, row: Any, *, data: Any = None, initial: Any = None) -> forms.Form | None:
        """What has to be said before; None where there is nothing to say."""
        return None if self.form is None else self.form(data, initial=initial)

    @abstractmethod
    def foresee(self, *, row: Any, viewer: Any, said: dict[str, Any], now: datetime) -> Foresight:
        """What would happen. Raises the DomainError that `act` would."""

    @abstractmethod
    def act(self, *, row: Any, viewer: Any, terms: dict[str, Any], key: str, now: datetime) -> None:
        """Do it; the same key again changes nothing. Raises DomainError, and then nothing has changed."""


_registry: dict[tuple[str, str], Act] = {}


def register(*acts: Act) -> None:
    """Make the acts known, each by its model and name."""
    for act in acts:
        _registry[act.model, act.name] = act


def all_acts() -> list[Act]:
    """Every act, by model and name: for whoever gives out permissions."""
    return [_registry[key] for key in sorted(_registry)]


def act_named(model: str, name: str) -> Act | None:
    """The act on rows of "app.Model"; None where there is none of that name."""
    return _registry.get((model, name))


def act_path(row: Model, name: str) -> str:
    """Where the act on this row is told and confirmed."""
    meta = row._meta
    return reverse("act", args=[meta.app_label, meta.model_name, row.pk, name])


def buttons_of(request: HttpRequest, row: Model) -> list[dict[str, Any]]:
    """The acts that whoever asks may do to the row, as the theme draws them at the head of its page."""
    return [
        {
            "title": act.title,
            "icon": act.icon,
            "variant": ActionVariant.DANGER if act.is_grave else ActionVariant.DEFAULT,
            "attrs": {},
            "dialog": None,
            "path": act_path(row, act.name),
        }
        for (model, _), act in _registry.items()
        if model == row._meta.label and request.user.has_perm(act.permission) and act.is_offered(row)
    ]
