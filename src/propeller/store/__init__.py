"""Stores: the interface (``port``) and SQLite behind it."""
