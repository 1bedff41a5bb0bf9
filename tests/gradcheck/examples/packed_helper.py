"""What packed.py imports."""


def slope(y):
    return 1 - y**2
