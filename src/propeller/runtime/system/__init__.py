"""The operating system's part: processes that die in time, and directories that nothing leads out of.

death.py        how a process died, in words
launch.py       a process that dies with the proplet, or before it when memory runs out
directories.py  the directories that a guest is granted, opened below those that its proplet allows
paths.py        paths of a guest, walked name by name
"""
