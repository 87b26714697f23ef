from os.path import dirname, join
from setuptools import find_packages, setup

release = {}
with open(join(dirname(__file__), 'odoo', 'release.py'), encoding='utf-8') as text:
    exec(text.read(), release)

setup(
    name='odoo',
    version=release['version'],
    license=release['license'],
    scripts=['setup/odoo'],
    packages=find_packages(),
    install_requires=['idna', 'passlib', 'polib', 'six'],
    python_requires='>=' + '.'.join(str(part) for part in release['MIN_PY_VERSION']),
)
