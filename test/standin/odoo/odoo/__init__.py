"""A stand-in for Odoo's package."""

from . import release
from . import tools
from . import modules
from . import cli
