"""The part of the store in PostgreSQL that reads lists and what is beside records."""

from propeller.store.postgres.access import Access


class Reads(Access):
    """Reads for the API; ``port.Store`` describes the methods."""
