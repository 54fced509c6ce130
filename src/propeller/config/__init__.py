"""The configuration of the programs: from flags, variables and a file to settings that never change.

values.py      readers of the text of a setting
settings.py    the settings themselves, as the programs get them
definitions.py every setting: its name, its variables, its default
sources.py     where each value comes from: flag, variable, file or default, in this order
programs.py    from values to the settings of each program
registries.py  credentials for registries of images
shown.py       the effective settings as TOML
identities.py  reads and adds the identities of a config.toml
broker.py      the files of a Mosquitto that knows these and no others
provision.py   new identities, written with all that belongs to them
files.py       files that appear whole or not at all
"""
