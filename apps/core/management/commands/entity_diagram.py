"""`manage.py entity_diagram`: what is stored, as Mermaid diagrams made from the models."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.apps import AppConfig, apps
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import ForeignKey, Model, OneToOneField

HEAD = """# What is stored

Made from the models by `./run manage entity_diagram --out docs/entities.md`; a test compares the two. `||--o{` is one to
many, `||--o|` one to at most one, and `|o` at the left means that the one may be missing. Tables of Django and of
libraries are left out.

## Who points at whom
"""


def our_apps() -> list[AppConfig]:
    """The apps that have models of ours, by name."""
    return sorted(
        (each for each in apps.get_app_configs() if each.name.startswith("apps.") and list(each.get_models())),
        key=lambda each: each.name,
    )


def _models(app: AppConfig) -> list[type[Model]]:
    return sorted(app.get_models(), key=lambda model: model.__name__)


def _relations(models: Iterable[type[Model]]) -> Iterator[str]:
    for model in models:
        for field in model._meta.local_fields:
            if isinstance(field, ForeignKey) and field.related_model.__module__.startswith("apps."):
                one = "|o" if field.null else "||"
                many = "o|" if isinstance(field, OneToOneField) else "o{"
                yield f"    {field.related_model.__name__} {one}--{many} {model.__name__} : {field.name}"


def _columns(model: type[Model]) -> Iterator[str]:
    yield f"    {model.__name__} {{"
    for field in model._meta.local_fields:
        key = " PK" if field.primary_key else " FK" if isinstance(field, ForeignKey) else " UK" if field.unique else ""
        sort = "OneToOne" if isinstance(field, OneToOneField) else type(field).__name__.removesuffix("Field")
        yield f"        {sort} {field.attname}{key}" + (' "may be null"' if field.null else "")
    yield "    }"


def _diagram(lines: Iterable[str]) -> str:
    return "\n".join(["```mermaid", "erDiagram", *lines, "```", ""])


def _summary(model: type[Model]) -> str:
    return " ".join((model.__doc__ or "").strip().partition("\n\n")[0].split())


def entity_page() -> str:
    """The whole page: an overview of every relation, then each app's tables with their columns."""
    configs = our_apps()
    everything = [model for config in configs for model in _models(config)]
    parts = [HEAD, _diagram(_relations(everything))]
    for config in configs:
        models = _models(config)
        told = "\n".join(f"- **{model.__name__}** (`{model._meta.db_table}`): {_summary(model)}" for model in models)
        columns = [line for model in models for line in _columns(model)]
        parts += [f"## {config.name}\n", f"{told}\n", _diagram([*columns, *_relations(models)])]
    return "\n".join(parts)


class Command(BaseCommand):
    help = "Draws the tables and how they point at each other, as a Markdown page with Mermaid diagrams."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--out", type=Path, help="the file to write; standard output unless said")

    def handle(self, *_args: Any, **options: Any) -> None:
        page = entity_page()
        if options["out"] is None:
            self.stdout.write(page, ending="")
            return
        try:
            options["out"].write_text(page)
        except OSError as error:
            raise CommandError(f"{options['out']} cannot be written: {error.strerror}") from error
