#!/bin/sh
# Makes Odoo's role, which may create databases and nothing else. psql reads the
# password itself, so that no command line has it.
set -eu
psql --no-psqlrc --username "${POSTGRES_USER:-postgres}" --dbname postgres --set ON_ERROR_STOP=1 <<'SQL'
\set password `cat "${ODOO_DB_PASSWORD_FILE:-/run/secrets/db-password}"`
CREATE ROLE odoo LOGIN CREATEDB PASSWORD :'password';
SQL
