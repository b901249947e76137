"""Databases, caches and tables of other programs."""
