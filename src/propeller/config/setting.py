"""The form of a setting, and of a program with its settings."""

from typing import Literal

import msgspec

from propeller.config import values
from propeller.config.values import Raw, Reader


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting of a program."""

    key: str
    #: Other names for it: those of older files and variables.
    aliases: tuple[str, ...] = ()
    read: Reader
    #: As a user would write it; None for no default.
    default: Raw | None = None
    #: Describes a computed default, for people.
    computed: str = ""
    text: str
    #: A secret has no flag, because everybody on a machine may see flags, and is never shown.
    is_secret: bool = False
    #: The variable, where it is not the program's prefix and the key.
    variable: str = ""
    #: True if an empty variable is a value; otherwise it counts as not set.
    takes_empty: bool = False

    @property
    def is_switch(self) -> bool:
        return self.read is values.boolean

    @property
    def flag(self) -> str:
        return f"--{self.key.replace('_', '-')}"


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """One program, and all of its settings."""

    #: Its command, and its section in the file.
    name: Literal["manager", "proplet", "proxy"]
    text: str
    settings: tuple[Setting, ...]
    #: Variables of the existing system whose users rely on what there is not in this version, and what to do.
    refused: tuple[tuple[str, str], ...] = ()

    @property
    def prefix(self) -> str:
        return f"{self.name.upper()}_"

    def variables(self, setting: Setting) -> tuple[str, ...]:
        """Name the variables that a setting is read from, the usual one first."""
        if setting.variable:
            return (setting.variable,)
        return tuple(f"{self.prefix}{key.upper()}" for key in (setting.key, *setting.aliases))

    @property
    def file_variables(self) -> tuple[str, str]:
        """The variables that name the file and its section."""
        return f"{self.prefix}CONFIG_FILE", f"{self.prefix}CONFIG_SECTION"
