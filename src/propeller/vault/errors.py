"""What goes wrong with what is encrypted; the messages say why."""


class CannotUnlock(Exception):
    """The master key is another, or what was stored was changed."""


class CannotSeal(Exception):
    """The key that a proplet says can't be used."""


class CannotOpen(Exception):
    """It was sealed for another key or another attempt, or was changed on its way."""
