"""Documents, pictures, fonts and sound."""
