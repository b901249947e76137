"""Streams that hold one stream, packed."""
