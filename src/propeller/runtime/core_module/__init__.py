"""Core modules as data: their interface, and their values as text and in Python.

binary.py     reads a binary, of core modules and components alike
interface.py  what a module imports and exports
values.py     converts values between text and Wasm
"""
