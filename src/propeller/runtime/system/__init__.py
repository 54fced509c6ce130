"""Processes and directories of the operating system.

death.py        the death of a process in words
launch.py       lets a process die with the proplet, and before it where memory runs out
directories.py  the directories that a guest is granted, opened below those that its proplet allows
paths.py        paths of a guest, walked name by name
"""
