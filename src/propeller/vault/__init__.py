"""Secrets: how they are encrypted at rest, sealed for one proplet, and masked in what guests print."""
