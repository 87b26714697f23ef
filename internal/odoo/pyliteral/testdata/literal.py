"""Reads as Odoo reads a manifest: a JSON list of files in base64 on standard
input, and on standard output what each holds, or the error."""

import ast
import base64
import io
import json
import struct
import sys
import warnings

warnings.simplefilter("ignore")


def double(f):
    return struct.pack(">d", f).hex()


def canonical(v):
    if v is None or isinstance(v, bool):
        return v
    if v is ...:
        return ["..."]
    if isinstance(v, int):
        return ["int", format(v, "x")]
    if isinstance(v, float):
        return ["float", double(v)]
    if isinstance(v, complex):
        return ["complex", double(v.real), double(v.imag)]
    if isinstance(v, str):
        return ["str", v.encode("utf-8", "surrogatepass").hex()]
    if isinstance(v, bytes):
        return ["bytes", v.hex()]
    if isinstance(v, (list, tuple)):
        return [type(v).__name__, [canonical(i) for i in v]]
    if isinstance(v, set):
        return ["set", sorted((canonical(i) for i in v), key=json.dumps)]
    return ["dict", [[canonical(k), canonical(i)] for k, i in v.items()]]


def read(data):
    try:
        source = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8").read()
        return {"value": canonical(ast.literal_eval(source))}
    except (ValueError, SyntaxError, TypeError, OverflowError, MemoryError, RecursionError) as e:
        return {"error": f"{type(e).__name__}: {e}"}


json.dump([read(base64.b64decode(f)) for f in json.load(sys.stdin)], sys.stdout)
