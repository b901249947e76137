"""Named causes of differences, and the proof that a place differs by them alone.

A cause never compares: it describes one side in tokens (`tokens`). What is left of both sides
when the tokens are gone must be equal, and each pair of tokens that differs must be evidence.
"""
