"""The messages between manager and proplets."""
