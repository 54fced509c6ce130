"""The processes that guests run in, and the fork server that starts them.

forkserver.py         a small process that forks runners
runner.py             one runner: executes runs one after another
watchdog.py           how long a run goes on, and how it is interrupted
guest.py              one guest, from its instantiation to its result
beginning.py          whether a guest could begin at all
serving.py            a component that serves HTTP
traps.py              errors of the engine as sentences
streams.py            what guests print
core_program.py, component_program.py
                      something compiled and linked, and how it is called
exports.py            what an instance of a core module exports
memories.py           several memories of a core module, which share one limit
assemblyscript.py     what modules of AssemblyScript import
cache.py              compiled code, in memory and on disk
compiler.py           has a large module compiled in a process of its own (compiler_process.py)
own_memory.py         the memory that a component takes, seen from the kernel's numbers
"""
