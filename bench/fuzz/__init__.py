"""Fuzzing of every reader of bytes, guided by what of the code they reach.

`targets` says what is fed and which laws must hold then, `seeds` what it starts from, and
`mutations` how inputs are changed. `python -m bench.fuzz` runs them with Atheris.
"""
