// The first session of README.md, a tab for each step. A test holds the two together.
window.holdfastFirstSession = [
  {
    "query": "query FindConcerts($filter: ListingFilter) {\n  listings(filter: $filter, orderBy: STARTS_AT, first: 3) {\n    totalCount\n    edges {\n      node {\n        id\n        title\n        location { city timeZone }\n        ... on Event { startsAt venue availableTickets }\n        quote(tickets: 2) {\n          available\n          lines { label quantity amount { amount } }\n          total { amount currency }\n        }\n      }\n    }\n  }\n}\n",
    "variables": "{ \"filter\": { \"kind\": [\"EVENT\"], \"text\": \"jazz courtyard\", \"city\": \"Lisbon\", \"tickets\": 2 } }"
  },
  {
    "query": "mutation SignIn($email: String!, $password: String!) {\n  tokenAuth(email: $email, password: $password) { token refreshToken }\n}\n",
    "variables": "{ \"email\": \"guest@example.com\", \"password\": \"demo-Password-1\" }"
  },
  {
    "query": "mutation HoldTickets($input: BookEventInput!) {\n  bookEvent(input: $input) {\n    booking { id reference status expiresAt total { amount currency } }\n    errors { code field message }\n  }\n}\n",
    "variables": "{ \"input\": { \"eventId\": \"<listings.edges.0.node.id>\", \"tickets\": 2 } }",
    "headers": "{ \"Authorization\": \"Bearer <tokenAuth.token>\" }"
  },
  {
    "query": "mutation Pay($input: PayBookingInput!) {\n  payBooking(input: $input) {\n    payment { status amount { amount currency } }\n    errors { code field message }\n  }\n}\n",
    "variables": "{ \"input\": { \"bookingId\": \"<bookEvent.booking.id>\", \"paymentMethod\": \"pm_card_visa\" } }",
    "headers": "{ \"Authorization\": \"Bearer <tokenAuth.token>\" }"
  },
  {
    "query": "query See($id: ID!) {\n  booking(id: $id) {\n    reference\n    status\n    ticketCode\n    paymentStatus\n    payments { status receiptNumber cardBrand cardLast4 }\n    refundable { amount currency }\n    history { at type actor }\n  }\n}\n",
    "variables": "{ \"id\": \"<bookEvent.booking.id>\" }",
    "headers": "{ \"Authorization\": \"Bearer <tokenAuth.token>\" }"
  }
];
