"""Gradient verification: is this gradient right, at this precision, and if not, what mistake does it look like?

    check_vjp(f, vjp, args)          any pair of functions on arrays
    check(module_or_function, inputs)   tape code, first or second order
    check_cell(problem, claim)       a recurrent cell over a sequence, with a diagnosis of what is wrong
    check_file("own.py:forward,backward")   code in a file, as people write it

Each returns a ``Finding``; print it, or ask for its ``verdict``, ``error`` and ``worst``.
"""

from minirnn.gradcheck.cells import check_cell
from minirnn.gradcheck.check import check_vjp
from minirnn.gradcheck.findings import Finding
from minirnn.gradcheck.recurrent import Problem, random_problem
from minirnn.gradcheck.tape import check
from minirnn.gradcheck.user.check import check_file
from minirnn.gradcheck.verdict import Verdict

__all__ = ["Finding", "Problem", "Verdict", "check", "check_cell", "check_file", "check_vjp",
           "random_problem"]
