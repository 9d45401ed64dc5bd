class EventKind:
    code = "EVENT"
