"""The GraphQL engine of the endpoint. Nothing in here knows what is sold."""
