"""Core modules as data: their interface, and their values as text and in Python.

binary.py     a reader of Wasm binaries, core modules and components alike
interface.py  imports and exports of a module
values.py     converts values between text and Wasm
"""
