// A page of an application that is built with Relay: a list that grows, rows that are fetched anew, a mutation.
const { graphql } = require("relay-runtime");

graphql`
  query SearchPageQuery($count: Int!, $cursor: String, $filter: ListingFilter) {
    ...Search_listings @arguments(count: $count, cursor: $cursor, filter: $filter)
  }
`;

graphql`
  fragment Search_listings on Query
  @argumentDefinitions(count: { type: "Int", defaultValue: 3 }, cursor: { type: "String" }, filter: { type: "ListingFilter" })
  @refetchable(queryName: "SearchMoreQuery") {
    listings(first: $count, after: $cursor, filter: $filter) @connection(key: "Search_listings", filters: ["filter"]) {
      edges {
        node {
          id
          ...Search_listing
        }
      }
    }
  }
`;

graphql`
  fragment Search_listing on Listing
  @argumentDefinitions(reviews: { type: "Int", defaultValue: 2 }, after: { type: "String" })
  @refetchable(queryName: "SearchListingQuery") {
    id
    title
    price {
      amount
      currency
    }
    ... on Property {
      maxGuests
    }
    reviews(first: $reviews, after: $after) @connection(key: "Search_reviews") {
      edges {
        node {
          id
          rating
        }
      }
    }
  }
`;

graphql`
  query SearchNodesQuery($ids: [ID!]!) {
    nodes(ids: $ids) {
      __typename
      id
      ... on Listing {
        title
      }
    }
  }
`;

graphql`
  mutation SearchRenameMutation($input: UpdateParkingSpotInput!) {
    updateParkingSpot(input: $input) {
      listing {
        id
        title
      }
      errors {
        code
        field
      }
    }
  }
`;

graphql`
  subscription SearchChangedSubscription($ids: [ID!]) {
    availabilityChanged(listingIds: $ids) {
      id
      listing {
        id
        title
      }
    }
  }
`;
