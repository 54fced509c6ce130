"""The command line: ``propeller``, also called ``propeller-cli``.

main.py         the program: all commands, and the exit codes of failures
commands.py     the frame of all commands: flags that may stand anywhere
options.py      flags that several commands share, and readers of their texts
sandbox.py      flags for the sandbox of a task
session.py      the manager that a command talks to, and what it prints
formatting.py   states, times and texts for people
views.py        tables and lists for people
tasks.py, workflows.py, jobs.py, proplets.py    one file per resource
secrets.py      values that tasks get and nobody is shown
schedules.py    when something runs by itself, and a pause of that
naming.py       what may stand for an id
pages.py        lists that take several requests
choosing.py     flags that choose records of a list
again.py        rerun and clone of workflows and jobs
bulk.py         stop and delete, of one or of many
heeding.py      whether a manager took over all that it was sent
logs.py         prints what guests wrote
history.py      prints what became of tasks, and what made each change
modules.py      .wasm and .wat files, and the choice of the function to run
reading.py      reads files up to a bound
runfile.py      files with a workflow or a job to run, and the modules beside them
board.py        the latest news of tasks that are followed
tree.py         draws tasks as a tree
live.py         runs a workflow or a job, and shows its progress
run.py          runs one module
inspect.py      shows what a module is and needs
signing.py      signs modules, checks signatures, makes keys
signing_in.py   signs in to managers, and chooses among them
contexts.py     the managers of a user, with their tokens, in a file
renewing.py     keeps tokens of an issuer in contexts good
tokens.py       makes, lists and revokes tokens
up.py           starts a manager
programs.py     starts a manager, a proplet or a proxy of its own
provision.py    writes the identities of a fleet
db.py           checks, backs up, restores and copies a store
places.py       places of stores as arguments: a directory, or the URL of a database
demo.py         plays the tutorial
top/            shows what runs, live, on the whole screen of a terminal
completion.py   the script by which a shell completes commands and flags
completing.py   arguments that a shell completes from what the manager has
health.py       asks the manager for its health
status.py       counts all that there is, and shows what failed last
"""
