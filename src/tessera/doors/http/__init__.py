"""The HTTP door: the API under /v1, the customer's own door under /v1/me, and what the pages will stand on."""
