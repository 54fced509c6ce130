"""The configuration of the programs, from flags, variables and a file to settings that never change.

values.py      readers of the text of a setting
settings.py    the settings as the programs get them
definitions.py every setting: its name, its variables, its default
http_definitions.py
               those of them that are about the HTTP of a program
sandbox_definitions.py
               those of them that are about guests
access_definitions.py
               those that say who may use the API
oidc_definitions.py, oidc.py
               the issuer that says who people are, and whether its settings go together
task_definitions.py
               those of them that are about which tasks run, and where
secrets_definitions.py
               those of them that are about secrets
setting.py     the form of a setting, and of a program with its settings
sources.py     the source of each value: flag, variable, file or default, in this order
programs.py    the settings of each program, made from the values
directories.py what of the machine tasks may not be given
sandbox_policy.py
               what a proplet gives to tasks, from its settings
registries.py  credentials for registries of images
shown.py       the effective settings as TOML
identities.py  reads and adds the identities of a config.toml
certificates.py
               a small certificate authority, and what it signs
tls_files.py   the certificates of a fleet: whose they are, and when they are made anew
broker.py      the files of a Mosquitto that lets in these identities and no others
provision.py   new identities, written to all files that need them
signing_definitions.py, signing_keys.py
               who is heard, as settings say, and the keys that programs sign with
files.py       files that are written whole or not at all
errors.py      what can be wrong with settings and with files of identities
"""
