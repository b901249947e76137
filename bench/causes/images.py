from bench.causes.cases import Case


def pairs() -> list[Case]:
    return []


def ten() -> list[Case]:
    return []
