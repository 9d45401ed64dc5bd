"""Stories of bookings in which processes die, requests fail and webhooks lie - and the money is right afterwards.

`python -m tests.faults --runs 1000` tells as many as wanted; the suite tells a few.
"""
