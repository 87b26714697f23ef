"""Reads odoo.conf files as Odoo does. One request a line, {"text": base64};
one answer a line."""

import base64
import configparser
import io
import json
import sys


def read(data):
    parser = configparser.RawConfigParser()
    try:
        parser.read_file(io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))
    except UnicodeDecodeError:
        return {"error": "UnicodeDecodeError", "lines": []}
    except (configparser.DuplicateSectionError, configparser.DuplicateOptionError, configparser.MissingSectionHeaderError) as e:
        return {"error": type(e).__name__, "lines": [e.lineno]}
    except configparser.ParsingError as e:
        return {"error": type(e).__name__, "lines": [lineno for lineno, _ in e.errors]}
    sections = [[name, parser.items(name)] for name in parser.sections()]
    return {"sections": sections, "defaults": list(parser.defaults().items())}


for request in sys.stdin:
    answer = read(base64.b64decode(json.loads(request)["text"]))
    print(json.dumps(answer), flush=True)
