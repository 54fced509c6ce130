"""The command line: ``propeller``, also called ``propeller-cli``.

main.py         the program: its commands, and how failures end it
commands.py     the frame of all commands: flags that may stand anywhere
options.py      flags of several commands, and how their texts are read
session.py      which manager a command talks to, and how it prints
formatting.py   states, times and texts for people
views.py        tables and lists for people
tasks.py, workflows.py, jobs.py, proplets.py    one file per resource
logs.py         prints what guests wrote
modules.py      .wasm and .wat files, and which of their functions to run
runfile.py      files with a workflow or a job in them
source_file.py  files in YAML or JSON, with line and column in messages about them
board.py        the latest that is known of tasks that are followed
tree.py         draws them
live.py         runs a workflow or a job, and shows how it goes
run.py          runs one module
inspect.py      shows what a module is and needs
up.py           starts a manager
programs.py     starts a manager, a proplet or a proxy of its own
provision.py    writes the identities of a fleet
demo.py         plays the tutorial
"""
