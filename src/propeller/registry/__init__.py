"""Modules from elsewhere: OCI registries and the web, checked, and kept on disk by digest."""
