"""The command line: ``propeller``, also called ``propeller-cli``.

main.py         the program: its commands, and how failures end it
commands.py     what all commands have in common: flags that may stand anywhere
options.py      flags of several commands, and what their texts mean
session.py      which manager a command talks to, and how it prints
formatting.py   states, times and texts for people
views.py        tables and lists for people
tasks.py, workflows.py, jobs.py, proplets.py    one file per resource
logs.py         prints what guests wrote
modules.py      .wasm and .wat files, and which of their functions to run
runfile.py      files with a workflow or a job in them
source_file.py  files in YAML or JSON, with line and column in messages about them
board.py        what is known of tasks that are followed
tree.py         how they are drawn
live.py         runs a workflow or a job, and shows how it goes
run.py          runs one module
inspect.py      says what a module is, and what it would need
up.py           starts a manager
programs.py     starts a manager, a proplet or a proxy of its own
provision.py    writes who is who, for these and for the broker
demo.py         plays the tutorial
"""
