"""The store in one SQLite database, for a manager alone."""
