"""What a host does with a listing of any kind. Creating and updating are each kind's own, in `schema.kinds`."""

from schema.listings.mutations.blocks import BlockPeriod, UnblockPeriod
from schema.listings.mutations.calendars import ImportCalendar, RemoveCalendar, RotateListingCalendarUrl
from schema.listings.mutations.images import AddListingImage, RemoveListingImage
from schema.listings.mutations.publishing import ArchiveListing, DeleteListing, PublishListing


class ListingMutations:
    """Mixed into Mutation."""

    publish_listing = PublishListing.Field()
    archive_listing = ArchiveListing.Field()
    delete_listing = DeleteListing.Field()
    add_listing_image = AddListingImage.Field()
    remove_listing_image = RemoveListingImage.Field()
    block_period = BlockPeriod.Field()
    unblock_period = UnblockPeriod.Field()
    import_calendar = ImportCalendar.Field()
    remove_calendar = RemoveCalendar.Field()
    rotate_listing_calendar_url = RotateListingCalendarUrl.Field()
