{
    'name': 'Invoicing',
    'version': '1.2',
    'category': 'Accounting/Accounting',
    'depends': ['web'],
    'license': 'LGPL-3',
    'installable': True,
}
