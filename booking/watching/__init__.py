"""How the product is watched: its health, metrics, logs, traces and reports of errors (docs/operations.md)."""
