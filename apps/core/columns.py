"""Which columns a list is read with: names as `only` takes them, "title" or "host__first_name", or all that there are."""

Columns = tuple[str, ...]
EVERYTHING: Columns = ("*",)
