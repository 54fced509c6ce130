"""``python -m propeller`` is the command line."""

from propeller.cli.main import main

main()
