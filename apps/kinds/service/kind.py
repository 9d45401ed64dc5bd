class ServiceKind:
    code = "SERVICE"
