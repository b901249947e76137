"""Comparing: one side described, two descriptions paired, a closer look where they disagree."""
