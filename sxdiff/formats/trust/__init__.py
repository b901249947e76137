"""Certificates, keys, signatures and what holds them; private keys are named, never shown."""
