"""Reads JSON from stdin and prints JSON: what git-aggregator 4.1, or Python's
string.Template, makes of each of the inputs.

{"documents": [yaml, ...]} -> [{"repos": [...]} | {"error": text}, ...]
{"templates": [text, ...], "env": {...}} -> [{"text": ...} | {"error": text}, ...]
"""

import json
import os
import sys
import tempfile
from string import Template

from git_aggregator import config


def plain(value):
    if isinstance(value, (frozenset, set)):
        return sorted(map(str, value))
    return str(value)


def document(text):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8", newline="") as f:
        f.write(text)
        f.flush()
        repos = config.load_config(f.name)
    for repo in repos:
        repo["cwd"] = os.path.relpath(repo["cwd"])
        repo.pop("force")
    return {"repos": repos}


def template(text, env):
    return {"text": Template(text).substitute(env)}


def attempt(function, *args):
    try:
        return function(*args)
    except Exception as e:
        return {"error": "%s: %s" % (type(e).__name__, e)}


request = json.load(sys.stdin)
if "documents" in request:
    answer = [attempt(document, text) for text in request["documents"]]
else:
    answer = [attempt(template, text, request["env"]) for text in request["templates"]]
json.dump(answer, sys.stdout, default=plain)
