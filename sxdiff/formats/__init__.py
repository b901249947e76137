"""What the bytes of files mean: one module a format, by family; `catalogue` lists them."""
