"""odoo-bin [COMMAND] [OPTION...]; without a command, the server."""

import os
import sys

from . import neutralize, server, shell

COMMANDS = {"neutralize": neutralize.main, "server": server.main, "shell": shell.main}


def main():
    args = sys.argv[1:]
    # A command comes first, or after --addons-path.
    if len(args) > 1 and args[0].startswith("--addons-path=") and not args[1].startswith("-"):
        args = [args[1], args[0]] + args[2:]
    name = "server"
    if args and not args[0].startswith("-"):
        name, args = args[0], args[1:]
    if name not in COMMANDS:
        sys.exit("Unknown command %r" % name)
    sys.argv[0] = os.path.basename(sys.argv[0])
    COMMANDS[name](args)
