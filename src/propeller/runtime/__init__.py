"""The room where guests run: compiled modules, processes to run them in, and a pool that feeds these.

pool.py     the proplet's side: queue, hand-over, stop, deaths   ─┐
seat.py     one runner process as the pool sees it                │ asyncio, in the proplet
nursery.py  asks the mother for runners, learns how they died    ─┘
mother.py   a small process that forks runners and buries them
runner.py   a runner: executes runs one after another            ─┐
watchdog.py how long the run goes on, and whether it can be ended │
guest.py    one guest, from instantiation to its result text      │
streams.py  what guests print                                     │
core_program.py, component_program.py                             │ in a runner
            something compiled, and what a name means in it       │
own_memory.py  what the process of a component grows by           │
clocks.py   clocks and randomness that are not the machine's      │
interface.py  what a module imports and exports                   │
cache.py    compiled code, in memory and on disk                 ─┘
compiler.py has a large module compiled in a process of its own (compilation.py), which ends
death.py    how a process died, in words
heap.py     what an allocator keeps of memory that was freed
failures.py why a guest failed, in words
external.py  in the pool's place: guests in a program of this machine ─┐
execution.py one such run: what it prints, when it is up, how it ended │
command.py   its command line                                          │ asyncio, in the proplet
address.py   where it serves, and whether it does yet                  │
process.py   one process of it: output, end, death                     │
outline.py   what kind of Wasm a file is and what it exports          ─┘
launch.py    becomes that program, and dies with the proplet
frames.py   what pool and runner say to each other
run.py      the values: a run, how it ended, the limits
values.py   text to Wasm values and back
paths.py    paths of a guest, which never lead out of their directory

component/     components as plain data and functions without IO
inspection.py   what a file is, module or component, what it would need, and how to call it
"""
