{
    'name': 'Web',
    'version': '1.0',
    'category': 'Hidden',
    'depends': ['base'],
    'license': 'LGPL-3',
    'installable': True,
}
