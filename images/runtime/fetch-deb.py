"""fetch-deb.py URL SHA256 FILE downloads a Debian package by its checksum.

An empty URL fetches nothing. Python, as it is what every base image has.
"""

import hashlib
import os
import re
import sys
import urllib.error
import urllib.request

MAXIMUM = 256 << 20  # bytes


def fetch(url, want, path):
    digest, size = hashlib.sha256(), 0
    with urllib.request.urlopen(url, timeout=60) as answer, open(path, "wb") as file:
        while block := answer.read(1 << 20):
            size += len(block)
            if size > MAXIMUM:
                raise ValueError("has more than %d bytes" % MAXIMUM)
            digest.update(block)
            file.write(block)
    if digest.hexdigest() != want:
        raise ValueError("has the SHA-256 %s, and not %s" % (digest.hexdigest(), want))


def main(url, want, path):
    if not url:
        return None
    if not want:
        return "no SHA-256 is pinned for %s\n  pin it as images/README.md says, or leave wkhtmltopdf out: --build-arg WKHTMLTOPDF_URL=" % url
    if not re.fullmatch("[0-9a-f]{64}", want):
        return "%r is no SHA-256: it has 64 hexadecimal digits" % want
    try:
        fetch(url, want, path)
    except (OSError, ValueError) as err:
        if os.path.exists(path):
            os.remove(path)
        reason = err.reason if isinstance(err, urllib.error.URLError) else err
        return "%s: %s" % (url, reason)
    return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
