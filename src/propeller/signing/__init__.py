"""Signatures of modules: keys, how signatures are made and written, and who made one."""
