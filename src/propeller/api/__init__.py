"""The HTTP API: turns requests into commands and queries, and records into answers. It has no rules."""
