import code
import sys

import odoo
from odoo import modules
from odoo.tools import config


def main(args):
    config.parse_config(args)
    names = {"odoo": odoo, "openerp": odoo}
    if config["db_name"]:
        names["cr"] = modules.connect(config["db_name"]).cursor()
    if sys.stdin.isatty():
        code.interact(local=names)
    else:
        exec(compile(sys.stdin.read(), "<stdin>", "exec"), names)
