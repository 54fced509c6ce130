"""Expressions of conditions: a part of the Common Expression Language (CEL), without all that may run long.

``compiler`` turns a text into an ``Expression``, ``operations`` has what its operators and functions do with
values, and ``grammar`` how it is written. Decision 15 says why it is this part.
"""
