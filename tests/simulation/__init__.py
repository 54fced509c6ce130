"""The whole system in one thread, under a simulated clock, network and store, from one seed.

The rules, the engine's turns, the messages and the proplet's machine are the real ones. Around them
managers and proplets crash, and messages get lost, repeated, delayed and reordered. After each step the
laws (``checker``) are checked; a failure prints its seed and the story of the task, and replays exactly.
"""
