"""The HTTP API: requests become commands and queries, records become answers; no rule about tasks is here."""
