"""The proxy: fetches modules from registries and hands them to proplets in chunks (``mqtt``, section 5)."""
