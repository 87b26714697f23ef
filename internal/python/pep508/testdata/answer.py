"""Answers, as packaging would, the questions of a JSON object on stdin."""

import json
import sys

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import Specifier
from packaging.utils import canonicalize_name
from packaging.version import Version


def attempt(function, *args):
    try:
        return function(*args)
    except Exception as error:  # whatever it refuses by
        return {"error": f"{type(error).__name__}: {error}"}


def requirement(text):
    r = Requirement(text)
    return {
        "name": r.name,
        "normalized": canonicalize_name(r.name),
        "extras": sorted({canonicalize_name(e) for e in r.extras}),
        "specifier": sorted([s.operator, s.version] for s in r.specifier),
        "url": r.url or "",
        "marker": r.marker is not None,
    }


def evaluate(text, environment):
    return Marker(text).evaluate(environment)


def compare(a, b):
    a, b = Version(a), Version(b)
    return (a > b) - (a < b)


def contains(specifier, version):
    return Specifier(specifier).contains(version, prereleases=True)


asked = json.load(sys.stdin)
json.dump(
    {
        "requirements": [attempt(requirement, t) for t in asked["requirements"] or []],
        "markers": [
            [attempt(evaluate, t, e) for e in asked["environments"] or []]
            for t in asked["markers"] or []
        ],
        "versions": [attempt(compare, *p) for p in asked["versions"] or []],
        "specifiers": [attempt(contains, *p) for p in asked["specifiers"] or []],
    },
    sys.stdout,
)
