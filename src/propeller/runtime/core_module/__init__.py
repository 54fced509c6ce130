"""Core modules as data: their interface, and their values as text and in Python.

binary.py          a reader of Wasm binaries, core modules and components alike
interface.py       imports and exports of a module
assemblyscript.py  which parameters may be left out
calls.py           the function that a task means, and its arguments
values.py          converts values between text and Wasm
"""
