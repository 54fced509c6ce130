"""Writes the OpenAPI document to standard output, for what is made from it: types of clients."""

import sys

import msgspec

from propeller.api.app import described

if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(described()), indent=1) + b"\n")
