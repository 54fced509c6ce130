"""The configuration of the programs: from flags, variables and a file to settings that never change.

values.py      what the text of a setting means, and what is wrong with it
settings.py    the settings themselves, as the programs get them
definitions.py every setting: its name, its variables, its default
sources.py     where each value comes from: flag, variable, file or default, in this order
programs.py    from values to the settings of each program
registries.py  credentials for registries of images
shown.py       the effective settings as TOML
identities.py  who is in a config.toml, and how more of them get in
broker.py      the files of a Mosquitto that knows just these
provision.py   new identities, written with all that belongs to them
files.py       files that appear whole or not at all
"""
