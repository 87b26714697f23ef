"""Addons on the addons path, and what is installed in a database."""

import ast
import os
import sys

from odoo.tools import config

ROOT = os.path.dirname(os.path.abspath(__file__))


def addons_paths():
    paths = [os.path.join(ROOT, "addons")]
    for path in (config["addons_path"] or "").split(","):
        path = os.path.abspath(os.path.expanduser(path.strip())) if path.strip() else None
        if path and path not in paths:
            if not os.path.isdir(path):
                sys.exit("option addons_path, invalid addons directory '%s'" % path)
            paths.append(path)
    return paths


def manifest(name):
    for path in addons_paths():
        file = os.path.join(path, name, "__manifest__.py")
        if os.path.isfile(file):
            with open(file, encoding="utf-8") as text:
                return ast.literal_eval(text.read())
    sys.exit("No module named %r on the addons path %s" % (name, ",".join(addons_paths())))


def with_depends(names, known=()):
    """The names and what they depend on, a dependency before its dependants."""
    order = list(known)
    for name in names:
        if name not in order:
            order = with_depends(manifest(name).get("depends", []), order)
            order.append(name)
    return order


def connect(database):
    import psycopg2

    options = {
        "host": config["db_host"],
        "port": config["db_port"],
        "user": config["db_user"],
        "password": config["db_password"],
        "sslmode": config["db_sslmode"],
    }
    # As in Odoo 17; older ones know no variable.
    application = os.environ.get("ODOO_PGAPPNAME", "odoo-{pid}").replace("{pid}", str(os.getpid()))[:63]
    return psycopg2.connect(dbname=database, application_name=application, **{name: value for name, value in options.items() if value})


def create(database):
    from psycopg2 import sql

    connection = connect("postgres")
    connection.autocommit = True
    with connection.cursor() as cr:
        cr.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database])
        if not cr.fetchone():
            cr.execute(sql.SQL("CREATE DATABASE {} ENCODING 'unicode' TEMPLATE template0").format(sql.Identifier(database)))
    connection.close()


def load(database, wanted, updated):
    create(database)
    connection = connect(database)
    with connection, connection.cursor() as cr:
        cr.execute("""
            CREATE TABLE IF NOT EXISTS ir_module_module (
                id serial PRIMARY KEY,
                name varchar NOT NULL UNIQUE,
                state varchar NOT NULL,
                latest_version varchar,
                demo boolean DEFAULT false
            )
        """)
        cr.execute("""
            CREATE TABLE IF NOT EXISTS ir_config_parameter (
                id serial PRIMARY KEY, key varchar NOT NULL UNIQUE, value text NOT NULL,
                create_uid integer, create_date timestamp, write_uid integer, write_date timestamp
            )
        """)
        cr.execute("CREATE TABLE IF NOT EXISTS res_lang (id serial PRIMARY KEY, code varchar NOT NULL UNIQUE, active boolean)")
        cr.execute("INSERT INTO res_lang (code, active) VALUES ('en_US', true) ON CONFLICT DO NOTHING")
        if updated == ["all"] or updated == ["base"]:
            cr.execute("SELECT name FROM ir_module_module WHERE state = 'installed' ORDER BY id")
            updated = [name for name, in cr.fetchall()]
        for name in with_depends(["base"] + wanted + updated):
            cr.execute(
                """
                INSERT INTO ir_module_module (name, state, latest_version, demo) VALUES (%s, 'installed', %s, %s)
                ON CONFLICT (name) DO UPDATE SET state = 'installed', latest_version = excluded.latest_version
                """,
                [name, manifest(name).get("version", "1.0"), not config["without_demo"]],
            )
            print("Module %s loaded" % name, file=sys.stderr)
    connection.close()
