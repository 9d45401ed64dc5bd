class PropertyKind:
    code = "PROPERTY"
