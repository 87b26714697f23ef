import sys

from odoo import modules
from odoo.tools import config

STATEMENTS = ["UPDATE ir_module_module SET state = 'uninstalled' WHERE name LIKE 'payment%';"]


def main(args):
    stdout = "--stdout" in args
    config.parse_config([arg for arg in args if arg != "--stdout"])
    if not config["db_name"]:
        sys.exit("neutralize needs -d DATABASE")
    if stdout:
        print("BEGIN;", *STATEMENTS, "COMMIT;", sep="\n")
        return
    connection = modules.connect(config["db_name"])
    with connection, connection.cursor() as cr:
        for statement in STATEMENTS:
            cr.execute(statement)
    connection.close()
