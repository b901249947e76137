"""The mutation law: no image that was changed is called equal where it is not."""
