"""Names that a description must not repeat: a name met again is numbered."""


class Names:
    """Gives each name once: `x`, then `x #2`, `x #3`."""

    def __init__(self) -> None:
        self._met: dict[str, int] = {}

    def unique(self, name: str) -> str:
        """`name`, numbered where it was given before."""
        count = self._met.get(name, 0) + 1
        self._met[name] = count
        if count == 1:
            return name
        # a name may itself end in " #2": count on until it is free
        while (numbered := f"{name} #{count}") in self._met:
            count += 1
        self._met[name] = count
        self._met[numbered] = 1
        return numbered
