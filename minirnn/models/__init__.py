"""Models of the sources, one folder each: ``model.py``, ``task.py``, ``tables.py``, ``sample.py``; see ``registry``."""
