"""Components as data: their types, their interface, and their values as text and in Python.

wit.py          types of values and functions, and how WIT writes them
types.py        from wasmtime's types to these
interface.py    exports and imports of a component, and the function that a task's name means
reader.py       the same read from its bytes, without the engine; definitions.py is what it defines meanwhile
imports.py      imports that no proplet offers, found before the component is compiled
calls.py        the function that a task means, and its arguments
variants.py     Python values of types with several cases
values.py       converts values between Python and the engine
wave.py         values from text (WAVE) and back; its parts are in wave_*.py
"""
