"""The store in PostgreSQL, which several managers can share."""
