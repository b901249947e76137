from bench.causes.cases import Case


def cases() -> list[Case]:
    return []
