"""The runtime: guests, and the processes that they run in.

pool/         in the proplet: queues runs, and feeds them to runner processes
runner/       the processes that guests run in, and the fork server that starts them
external/     in the pool's place: guests in a program of this machine
wasi/         the parts of WASI that the engine lacks or that are stricter here
component/    components as data: types, interface, values
core_module/  core modules as data: interface, values
system/       processes and directories of the operating system

guest_run.py    the values: a run, its limits, what it used, how it ended
guest_output.py what a guest printed, as far as it is kept
failures.py     sentences for the limits that a guest met
quoting.py      text of users in messages
outline.py      the kind of a Wasm file and its exports, read without the engine
inspection.py   all that can be said of a Wasm file, for ``propeller inspect``
heap.py         what an allocator keeps of memory that was freed
"""
