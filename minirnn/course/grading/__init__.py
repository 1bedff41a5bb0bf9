"""Grading submissions that may be broken or hostile: each in a process of its own, its answers checked from outside.

The process of a submission runs its cells, remembers what ``check`` was given, and then computes: the grader, which
alone knows the exercises, calls its functions through a pipe with arrays of its own choice. What comes back is data,
never code, and earns points only by being right; what the process says about itself earns none.

* ``submissions`` finds the files and reads their cells, running nothing.
* ``wire`` turns answers, arguments and results into bytes and back.
* ``sandbox`` gives up what the process must not have: time, memory, other people's files, the solutions, the network.
* ``child`` is that process, ``judge`` the grader's end.

The walls are those of the system, rlimits and on Linux Landlock, with Python's audit hooks before them, which say in
words what was refused. They are made for a course; who expects attacks on the system itself grades in a container.
"""
