"""The site of Django admin: who gets in, what is in it, and how it looks."""

from unfold.sites import UnfoldAdminSite


class StaffSite(UnfoldAdminSite):
    """Django admin as staff sees it."""

    site_header = site_title = "Holdfast"
    index_title = "What staff looks after"
