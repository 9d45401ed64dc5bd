class ParkingKind:
    code = "PARKING_SPOT"
