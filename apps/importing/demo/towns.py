"""Where the demo takes place, and the words its listings are made of. The streets and houses are nobody's."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Town:
    """`scale` is what one unit of the demo's price level costs in minor units of the currency."""

    city: str
    region: str
    country: str
    time_zone: str
    currency: str
    scale: int
    latitude: float
    longitude: float


TOWNS = (
    Town("New York", "New York", "United States", "America/New_York", "USD", 100, 40.7306, -73.9866),
    Town("London", "England", "United Kingdom", "Europe/London", "GBP", 80, 51.5136, -0.1160),
    Town("Lisbon", "Lisboa", "Portugal", "Europe/Lisbon", "EUR", 90, 38.7169, -9.1399),
    Town("Mumbai", "Maharashtra", "India", "Asia/Kolkata", "INR", 8_000, 19.0760, 72.8777),
    Town("Tokyo", "Tokyo", "Japan", "Asia/Tokyo", "JPY", 150, 35.6812, 139.7671),
    Town("Adelaide", "South Australia", "Australia", "Australia/Adelaide", "AUD", 150, -34.9285, 138.6007),
    Town("Auckland", "Auckland", "New Zealand", "Pacific/Auckland", "NZD", 160, -36.8485, 174.7633),
)

STREETS = (
    "Alder Row", "Bellfounder Lane", "Canal Walk", "Dyer's Yard", "East Terrace", "Ferry Steps", "Glasshouse Street",
    "Harbour Parade", "Ivy Court", "Juniper Street", "Kiln Road", "Lantern Mews", "Mulberry Way", "Northgate",
    "Orchard Rise", "Printer's Alley", "Quayside", "Ropewalk", "Saddler Street", "Tannery Square",
)  # fmt: skip

QUALITIES = (
    "Airy", "Bright", "Calm", "Comfortable", "Generous", "Green", "Hidden", "Leafy", "Light", "Quiet", "Snug", "Sunny",
    "Tidy", "Top-floor", "Warm", "Well-kept",
)  # fmt: skip
HOMES = (
    ("Loft", "Entire loft", 4, 2), ("Studio", "Entire studio", 2, 1), ("Townhouse", "Entire townhouse", 6, 3),
    ("Garden Flat", "Entire apartment", 3, 1), ("Attic Room", "Private room", 2, 1), ("Houseboat", "Boat", 4, 2),
    ("Guest House", "Room in guest house", 2, 1), ("Family Apartment", "Entire apartment", 5, 3),
)  # fmt: skip
AMENITIES = (
    "Wifi", "Kitchen", "Washer", "Dryer", "Heating", "Air conditioning", "Workspace", "Balcony", "Garden", "Bathtub",
    "Coffee machine", "Dishwasher", "Free parking", "Lift", "Pets allowed", "Step-free access",
)  # fmt: skip
SERVICES = (
    ("Haircut", 45, 15, 35), ("Deep Tissue Massage", 60, 15, 70), ("Bicycle Tune-Up", 40, 5, 30),
    ("Portrait Session", 90, 30, 150), ("Piano Lesson", 45, 0, 45), ("Manicure", 50, 10, 32),
    ("Physiotherapy", 30, 0, 60), ("Tax Advice", 60, 0, 95), ("Dog Grooming", 75, 15, 55), ("Eye Test", 25, 5, 25),
)  # fmt: skip
EVENTS = (
    ("Lantern Parade", 12, 800), ("Chamber Music Evening", 28, 180), ("Night Market Tasting", 18, 300),
    ("Improvised Theatre", 15, 90), ("Repair Cafe", 0, 40), ("Open-Air Cinema", 14, 450), ("Poetry at the Quay", 0, 60),
    ("Jazz in the Courtyard", 32, 220), ("Pottery for Beginners", 55, 12), ("Rooftop Stargazing", 20, 35),
)  # fmt: skip
VENUES = ("The Old Foundry", "Tannery Hall", "Ropewalk Stage", "Harbour Pavilion", "The Glasshouse", "Kiln Yard")
SPOTS = ("Covered bay", "Driveway", "Garage place", "Kerbside bay", "Rooftop bay", "Yard space")

COMMENTS = {
    5: (
        "Exactly as described, and spotless. We would come back tomorrow.",
        "Everything worked from the first minute. A rare pleasure.",
        "Kind, punctual and thoughtful. The best we have had in {city}.",
    ),
    4: (
        "Very good. A little noise in the evening, nothing serious.",
        "Easy to find and well organised. The instructions could be shorter.",
        "Good value for {city}; we would book again.",
    ),
    3: (
        "All right for the price. Some things had seen better days.",
        "It did the job, though we had to wait a while.",
    ),
    2: ("Not quite what the pictures promise.",),
}
REPLIES = ("Thank you, you are welcome any time.", "Thank you for telling us; we have seen to it.")
