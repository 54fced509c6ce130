"""Where records are kept: the interface (``port``) and the stores behind it."""
