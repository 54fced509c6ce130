"""The manager: one writer that takes events in turns (``engine``), and the shells around it."""
