"""Gradient verification: is this gradient right, at this precision, and if not, what mistake does it look like?

    check_vjp(f, vjp, args)          any pair of functions on arrays
    check(module_or_function, inputs)   tape code, first or second order
    check_cell(problem, claim)       a recurrent cell over a sequence, with a diagnosis of what is wrong
    check_torch_function(Function, *tensors), check_jax(f, args), check_autograd(f, args)   what others derived
    check_file("own.py:forward,backward")   code in a file, as people write it

Each returns a ``Finding``; print it, let a notebook show it, or ask for its ``verdict``, ``error`` and ``worst``.
``assert_gradients(...)`` makes a test of each; pytest has it as a fixture of that name.
"""

from minirnn.gradcheck.adapters import check_autograd, check_jax
from minirnn.gradcheck.assertion import assert_gradients
from minirnn.gradcheck.cells import check_cell
from minirnn.gradcheck.check import check_vjp
from minirnn.gradcheck.findings import Finding
from minirnn.gradcheck.recurrent import Problem, random_problem
from minirnn.gradcheck.tape import check
from minirnn.gradcheck.torch_function import check_torch_function
from minirnn.gradcheck.user.check import check_file
from minirnn.gradcheck.verdict import Verdict

__all__ = [
    "Finding", "Problem", "Verdict", "assert_gradients", "check", "check_autograd", "check_cell", "check_file",
    "check_jax", "check_torch_function", "check_vjp", "random_problem",
]
