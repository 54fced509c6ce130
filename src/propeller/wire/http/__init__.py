"""The JSON of the HTTP API: what requests may say, and what answers look like."""
