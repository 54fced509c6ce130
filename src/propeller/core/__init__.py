"""The rules for tasks, workflows, jobs and placement: no IO, no clock, no randomness."""
