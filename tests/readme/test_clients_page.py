"""What the page for client developers has to copy works as it stands there, in that order, on an empty site."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.readme.reading import ROOT, Reader, blocks
from tests.serving import Site

PAGE = (ROOT / "docs/clients.md").read_text()
OUTCOMES = {
    "FindStays": ("listings.edges.0.node.title", "Loft at the old harbour"),
    "AwaitAuthentication": ("booking.paymentStatus", "REQUIRES_ACTION"),
    "RefreshPayment": ("refreshPayment.payment.status", "SUCCEEDED"),
    "SeeStay": ("booking.status", "CONFIRMED"),
    "ChangeStay": ("changeBooking.booking.total.amount", "420.00"),
    "AwaitRefund": ("booking.paymentStatus", "REFUNDED"),
    "SeeSlot": ("booking.status", "CONFIRMED"),
    "SeeTickets": ("booking.status", "CONFIRMED"),
    "SeeParking": ("booking.status", "CONFIRMED"),
    "ParkingReceipt": ("booking.paymentStatus", "SUCCEEDED"),
    "SeeTonight": ("booking.status", "CONFIRMED"),
    "CheckIn": ("checkInBooking.booking.status", "CHECKED_IN"),
    "CheckOut": ("checkOutBooking.booking.status", "COMPLETED"),
    "Delete": ("deleteAccount.deleted", True),
    "SignOut": ("signOut.signedOut", True),
}
# What needs a mail, a file, a scan or an account of staff: these are only checked against the schema.
FROM_OUTSIDE = [
    "VerifyEmail", "ResetPassword", "Exchange", "EndSession", "RemoveCard", "Revoke", "AddPicture", "RemovePicture",
    "UploadFace", "SendItAgain", "AtTheDoor", "NeverCame", "Watch", "WatchTheMap", "Bell", "FindUsers", "MoneyTrail",
    "SetRole", "Tell", "Host",
]  # fmt: skip

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")


def test_every_flow_works_as_written(site: Site, tmp_path: Path) -> None:
    persisting, uploading, confirming = [text for _, text in blocks(PAGE, "sh")]
    reader = Reader(site, outcomes=OUTCOMES)
    before, mark, after = PAGE.partition(f"```sh\n{confirming}```\n")
    assert mark

    reader.follow(before)
    reader.run_in_shell(confirming, folder=tmp_path)
    Image.new("RGB", (40, 30), "teal").save(tmp_path / "picture.png")
    added = reader.run_in_shell(
        uploading, folder=tmp_path,
        TOKEN=reader.answers["changePassword"]["token"], LISTING=reader.answers["createProperty"]["listing"]["id"],
    )  # fmt: skip
    assert json.loads(added)["data"]["addListingImage"]["errors"] == []
    reader.follow(after)
    named = json.loads(reader.run_in_shell(persisting, folder=tmp_path))
    assert [edge["node"]["location"]["city"] for edge in named["data"]["listings"]["edges"]] == ["Reykjavik"] * 3

    assert reader.passed == FROM_OUTSIDE
    assert len(set(reader.followed)) == len(reader.followed)
    assert set(OUTCOMES) <= set(reader.followed)
