"""The command line: ``propeller``, also called ``propeller-cli``."""
