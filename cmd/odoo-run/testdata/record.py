"""In the place of odoo-bin: prints as JSON what it was given, and what Odoo's
parser reads in its configuration."""

import configparser
import json
import os
import sys

args = sys.argv[1:]
answer = {"args": args, "environ": dict(os.environ), "pid": os.getpid()}
if "-c" in args:
    path = args[args.index("-c") + 1]
    parser = configparser.RawConfigParser()
    parser.read([path], encoding="utf-8")
    answer["config"] = {name: dict(parser.items(name)) for name in parser.sections()}
    answer["mode"] = "%o %o" % (os.stat(path).st_mode & 0o7777, os.stat(os.path.dirname(path)).st_mode & 0o7777)
print(json.dumps(answer, sort_keys=True))
