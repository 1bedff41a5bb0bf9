"""Planted bugs: what people get wrong when they derive a recurrent backward pass by hand.

Each row says in words what the mistake is, and makes it: fragments of this library's own source, each followed by
what the mistake makes of it. ``mutants`` compiles and runs them. To add one, add a row to the file of its cell; the
tests find it, and fail if the checker does not.
"""

from minirnn.gradcheck.bugs import affine, coupled, gru, lstm, peephole, rnn, time
from minirnn.gradcheck.bugs.mutant import Mutant

__all__ = ["BUGS", "Mutant"]

BUGS = tuple(bug for file in (time, affine, rnn, lstm, peephole, coupled, gru) for bug in file.BUGS)
