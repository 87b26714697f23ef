{
    'name': 'Base',
    'version': '1.3',
    'category': 'Hidden',
    'depends': [],
    'license': 'LGPL-3',
    'installable': True,
}
