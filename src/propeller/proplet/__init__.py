"""The proplet: what it holds and owes (``machine``), and the program around that (``agent``)."""
