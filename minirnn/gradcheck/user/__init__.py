"""Code as people write it, taken as it is: functions and classes, scripts and notebooks, in any layout.

``source`` runs the file, ``job`` finds what the target names, ``code`` and ``objects`` call functions and methods in
one way, ``trial`` finds how a cell's arrays are laid out, ``diagnosis`` says what is wrong in the user's names.
"""
