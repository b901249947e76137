"""Reads a report back from its JSON: all other forms follow from that alone."""

import json

from sxdiff.model import InputError
from sxdiff.report.build import Report

SCHEMA = "sxdiff-report/1"


def read(path: str) -> Report:
    """The report in the file `path`. Raises `InputError` where there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not JSON: {error}") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise InputError(f"{path}: is not a report of sxdiff ({SCHEMA})")
    return Report.from_json(document)
