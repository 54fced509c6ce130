"""Guests in a program of this machine, in place of the pool.

runtime.py    the runs that wait and those that are executed, up to a number of processes
execution.py  one run: what it prints, when it is up, how it ended
command.py    its command line
options.py    the options that a task may give
address.py    where a server listens, and whether it does yet
process.py    one process: its output, its end, its process group
"""
