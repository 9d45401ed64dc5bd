"""The demo's data: generated, the same on every machine, and dated around the day on which it is made."""
