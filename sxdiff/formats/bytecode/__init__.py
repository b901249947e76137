"""Formats of compiled code for a virtual machine or another compiler run."""
