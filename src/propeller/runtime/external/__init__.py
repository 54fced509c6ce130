"""Guests in a program of this machine, such as ``wasmtime``, in place of the pool.

runtime.py    the queue of runs, and the executions up to a number of processes
execution.py  one run: its output, its start, its end
command.py    its command line
options.py    the options of the program that a task may give
address.py    the address of a server, and whether it listens there yet
process.py    one process: its output, its end, its process group
"""
