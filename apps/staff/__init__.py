"""The staff's desk: Django admin's site, its look and its navigation."""
