"""Errors of a configuration."""

from propeller.errors import PropellerError


class BadSettings(PropellerError):
    """A setting is missing, is wrong, or contradicts another; the program does not start."""


class BadFiles(PropellerError):
    """A file of identities can't be written or extended; nothing was changed."""
