{
    'name': 'Inventory',
    'version': '1.1',
    'category': 'Inventory/Inventory',
    'depends': ['account'],
    'license': 'LGPL-3',
    'installable': True,
}
