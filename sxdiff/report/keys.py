"""Routes as bytes that sort as the report does, and texts as UTF-8 can hold them."""

from typing import Any

from sxdiff.model import Route, text_of


def key_of(route: Route) -> bytes:
    """The bytes whose order is the order of routes; all routes under a route begin with its key."""
    if not route:
        return b""
    joined = "\0".join(route)
    if "\1" in joined or joined.count("\0") >= len(route):
        # 0 ends a step and 1 escapes, so that both may occur in a name and still sort as they do
        joined = "\0".join(step.replace("\1", "\1\2").replace("\0", "\1\1") for step in route)
    try:
        return joined.encode() + b"\0"
    except UnicodeEncodeError:
        return key_of(tuple(storable(step) for step in route))


def route_of(key: bytes) -> Route:
    """The route that `key_of` was given."""
    if not key:
        return ()
    steps = key[:-1].decode().split("\0")
    if b"\1" in key:
        steps = [step.replace("\1\1", "\0").replace("\1\2", "\1") for step in steps]
    return tuple(steps)


def storable(value: Any) -> Any:
    """The value with no lone surrogate in any text: UTF-8 could not hold it.

    Texts should come from `text_of`. Where one does not (a name from the command line, an escape
    in a JSON document), its bytes are told as `text_of` tells bytes.
    """
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            try:
                return text_of(value.encode(errors="surrogateescape"))
            except UnicodeEncodeError:
                return text_of(value.encode(errors="surrogatepass"))
    elif isinstance(value, dict):
        return {key: storable(one) for key, one in value.items()}
    elif isinstance(value, list | tuple):
        return [storable(one) for one in value]
    return value
