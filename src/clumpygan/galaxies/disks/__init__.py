"""The parameters of rotating disks: one table, their models and what is drawn from them."""
