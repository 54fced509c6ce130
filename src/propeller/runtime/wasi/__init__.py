"""WASI 0.2 with HTTP for components, written in Python.

Wasmtime's package has a host for HTTP requests that go out, but none with an allow-list, and none for
requests that come in; and it lets guests make symbolic links that lead anywhere. Resources of its own WASI
can't be mixed with ours, so a component that has to do with ``wasi:http``, or that can make links in some
directory that it may write to, gets everything from here.

session.py   what one call of a guest has of the host: its things, its waits, its end
binding.py   a function here as an import of a component
linking.py   a linker for a component, from the tables of functions
io.py        streams and what can be waited for (wasi:io)
basics.py    clocks, randomness, environment, standard streams (wasi:clocks, random, cli)
files.py     files and directories (wasi:filesystem)
descriptors.py  what a guest has open of them
paths.py     where a path leads, and that it does not lead out
fields.py    headers (wasi:http/types)
messages.py  requests, responses and their bodies (wasi:http/types)
outgoing.py  requests that go out (wasi:http/outgoing-handler)
exchange.py  one of them, in a thread of its own
incoming.py  requests that come in (wasi:http/incoming-handler)
server.py    a component as an HTTP server

Source: the WIT files of WASI 0.2 (wasi-io, wasi-clocks, wasi-random, wasi-cli, wasi-filesystem, wasi-http).
"""
