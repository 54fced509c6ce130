"""Propeller's own WASI, in Python, where the engine's is not enough.

Wasmtime's package sends HTTP requests to any host, serves none, and lets guests make symbolic links that lead
anywhere. Resources of its WASI 0.2 can't be mixed with others. So a component that imports ``wasi:http``, or
that can make links in a directory that it may write to, gets all of its WASI from here.

clocks.py    clocks and randomness by a task's grants, also in the engine's WASI
symlinks.py  symbolic links of core modules
session.py   one call of a guest: its resources, its waits, its end
binding.py   a Python function as an import of a component
linking.py   a linker for a component, from the tables of functions
io.py        streams and pollables (wasi:io)
basics.py    clocks, randomness, environment, standard streams (wasi:clocks, random, cli)
files.py     files and directories (wasi:filesystem)
descriptors.py  files and directories that a guest has open
sockets.py   the refusal of sockets (wasi:sockets)
fields.py    headers (wasi:http/types)
messages.py  requests, responses and their bodies (wasi:http/types)
outgoing.py  requests that go out (wasi:http/outgoing-handler)
exchange.py  one of them, in a thread of its own
incoming.py  requests that come in (wasi:http/incoming-handler)
server.py    a component as an HTTP server

Source: the WIT files of WASI 0.2 (wasi-io, wasi-clocks, wasi-random, wasi-cli, wasi-filesystem, wasi-sockets,
wasi-http).
"""
