"""The configuration: defaults, then the file, then the command line.

As in Odoo, a file that cannot be read or has no [options] changes nothing.
"""

import configparser
import optparse
import os

from odoo import release

DEFAULTS = {
    "addons_path": None,
    "admin_passwd": "admin",
    "data_dir": os.path.expanduser("~/.local/share/Odoo"),
    "db_host": False,
    "db_name": False,
    "db_password": False,
    "db_port": False,
    "db_sslmode": "prefer",
    "db_user": False,
    "dbfilter": "",
    "gevent_port": 8072,
    "http_interface": "",
    "http_port": 8069,
    "init": "",
    "list_db": True,
    "max_cron_threads": 2,
    "proxy_mode": False,
    "stop_after_init": False,
    "update": "",
    "without_demo": False,
    "workers": 0,
}

WORDS = {"True": True, "true": True, "False": False, "false": False, "None": None}


class Config:
    def __init__(self):
        self.options = dict(DEFAULTS)
        self.misc = {}
        self.rcfile = None

    def __getitem__(self, name):
        return self.options[name]

    def get(self, name, default=None):
        return self.options.get(name, default)

    def parse_config(self, args):
        parser = optparse.OptionParser(version="%s %s" % (release.description, release.version))
        parser.add_option("-c", "--config", dest="config")
        parser.add_option("-d", "--database", dest="db_name")
        parser.add_option("-i", "--init", dest="init")
        parser.add_option("-u", "--update", dest="update")
        parser.add_option("--stop-after-init", dest="stop_after_init", action="store_true")
        parser.add_option("--without-demo", dest="without_demo")
        parser.add_option("--addons-path", dest="addons_path")
        parser.add_option("--data-dir", "-D", dest="data_dir")
        parser.add_option("--db-filter", dest="dbfilter")
        parser.add_option("--db_host", dest="db_host")
        parser.add_option("--db_port", dest="db_port", type="int")
        parser.add_option("--db_user", "-r", dest="db_user")
        parser.add_option("--db_password", "-w", dest="db_password")
        parser.add_option("--http-interface", dest="http_interface")
        parser.add_option("--http-port", "-p", dest="http_port", type="int")
        parser.add_option("--gevent-port", dest="gevent_port", type="int")
        parser.add_option("--proxy-mode", dest="proxy_mode", action="store_true")
        parser.add_option("--no-database-list", dest="list_db", action="store_false")
        parser.add_option("--workers", dest="workers", type="int")
        parser.add_option("--max-cron-threads", dest="max_cron_threads", type="int")
        given, rest = parser.parse_args(args)
        if rest:
            parser.error("unrecognized parameters: '%s'" % " ".join(rest))
        if given.config and not os.access(given.config, os.R_OK):
            parser.error("The config file '%s' selected with -c/--config doesn't exist or is not readable" % given.config)
        self.rcfile = given.config or os.environ.get("ODOO_RC") or os.path.expanduser("~/.odoorc")
        self.load()
        for name, value in vars(given).items():
            if value is not None and name != "config":
                self.options[name] = value

    def load(self):
        parser = configparser.RawConfigParser()
        try:
            parser.read([self.rcfile], encoding="utf-8")
            for name, value in parser.items("options"):
                self.options[name] = self.cast(name, WORDS.get(value, value))
            for section in parser.sections():
                if section != "options":
                    self.misc[section] = dict(parser.items(section))
        except (OSError, configparser.NoSectionError):
            pass

    def cast(self, name, value):
        default = DEFAULTS.get(name)
        if isinstance(default, int) and not isinstance(default, bool) and isinstance(value, str):
            return int(value)
        return value


config = Config()
