{
    'name': 'Sales',
    'version': '1.2',
    'category': 'Sales/Sales',
    'depends': ['account'],
    'license': 'LGPL-3',
    'installable': True,
}
