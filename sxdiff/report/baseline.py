"""An earlier report as what is known: only what is new counts."""

from collections import Counter

from sxdiff.report.gate import Known, Place, place_of, route_of_platform
from sxdiff.report.read import reading


def read_known(path: str, name: str, directory: str) -> Known:
    """What the report in the file `path` tells; the report is called `name`, and `directory` is
    for temporary files.

    Raises `InputError` where that is no report.
    """
    places: Counter[Place] = Counter()
    with reading(path, directory) as report:
        platforms = [route_of_platform(one) for one in report.header["platforms"]]
        for told in report.differences():
            if not told["derived"]:
                where = tuple(told["where"])
                place = place_of(where, told["path"], told["kind"], told["causes"], platforms)
                places[place] += 1
        return Known(name, places, report.header["summary"]["counterfactual"]["verified"])
