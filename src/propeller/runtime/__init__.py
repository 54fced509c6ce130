"""The runtime: guests, and the processes that they run in.

pool/         in the proplet: queues runs, and feeds them to runner processes
runner/       the processes that guests run in, and the fork server that starts them
external/     in the pool's place: guests in a program of this machine
wasi/         Propeller's own WASI, where the engine's is not enough
component/    components as data: types, interface, values
core_module/  core modules as data: interface, values
system/       processes and directories of the operating system

guest_run.py    the values: a run, its limits, its usage, its end
guest_output.py output of a guest, as far as it is kept
failures.py     failures that the runtime words, such as those of limits
quoting.py      text of users in messages
address.py      the address of a server, as a task asks for it
outline.py      kind and exports of a Wasm file, read without the engine
inspection.py   kind, needs and an example call of a Wasm file, for ``propeller inspect``
apart.py        work in a process of its own, with bounds
inspection_apart.py    the inspection in such a process, for programs that do not load the engine
inspection_process.py  that process
heap.py         memory that the allocator keeps
"""
