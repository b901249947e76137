"""Texts that are told better by their own structure than by their lines."""
