# Read by setup.py and by tools that want to know the series.
ALPHA, BETA, RELEASE_CANDIDATE, FINAL = "alpha", "beta", "candidate", "final"

version_info = (17, 0, 0, FINAL, 0, '')
series = serie = major_version = ".".join(str(s) for s in version_info[:2])
version = series

product_name = 'Odoo'
description = 'Odoo Server'
license = 'LGPL-3'

MIN_PY_VERSION = (3, 10)
