"""Stores: the interface (``port``), how records become rows (``rows``), and a folder for each database."""
