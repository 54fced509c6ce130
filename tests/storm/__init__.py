"""Storms: real programs under a load of workflows, while at random one of them is killed, stopped or deceived.

What was accepted must end, once, with the right result: see ``script/storm``.
"""
