"""A gradient as an assertion of a test: with pytest by the fixture of the same name, or by itself."""

from minirnn.errors import InputError, must_be
from minirnn.gradcheck import signatures
from minirnn.gradcheck.cells import check_cell
from minirnn.gradcheck.check import check_vjp
from minirnn.gradcheck.findings import Finding
from minirnn.gradcheck.recurrent import Problem
from minirnn.gradcheck.tape import check
from minirnn.gradcheck.verdict import Verdict

ADVICE = {
    Verdict.UNDECIDABLE: "take float64, smaller sizes or values nearer to 1, or a larger rtol=",
    Verdict.KINK: "take arguments away from the kink, where every slope between is right",
    Verdict.NON_DETERMINISTIC: "draw from a seed inside the function, keep nothing between calls",
}


def assert_gradients(what, *rest, **options):
    """Raise an AssertionError, whose message is the report, unless the gradients are right.

        assert_gradients(f, vjp, args)      # a pair of functions on arrays, as for check_vjp
        assert_gradients(module, inputs)    # tape code, as for check
        assert_gradients(problem, claim)    # a recurrent cell over a sequence, as for check_cell
        assert_gradients(finding)           # what a check found: assert_gradients(check_jax(f, args))

    Options are those of the check. Only PASS is right: what cannot be decided fails too, with advice.
    Raises InputError and DtypeError as the check does.
    """
    __tracebackhide__ = True  # pytest shows the test and the report, not what is between
    finding = _found(what, rest, options)
    if not finding.ok:
        advice = ADVICE.get(finding.verdict)
        raise AssertionError(f"{finding}\n  advice: {advice}" if advice else str(finding))


def _found(what, rest, options):
    """The Finding of what was asked for."""
    if isinstance(what, Finding) and not rest and not options:
        return what
    if isinstance(what, Problem):
        return check_cell(what, *rest, **options)
    function = callable(what) and not isinstance(what, type)
    pair, tape = len(rest) + len(options.keys() & {"vjp", "args"}), len(rest) + ("inputs" in options)
    if function and pair == 2:
        return signatures.described(check_vjp(what, *rest, **options))
    if function and tape == 1 and not (rest and callable(rest[0])):
        return check(what, *rest, **options)
    got = ", ".join(type(given).__name__ for given in (what, *rest))
    expected = "f, vjp, args; or a module or function of Tensors, inputs; or a Problem; or what a check found"
    raise InputError(must_be("assert_gradients", "what it is given", expected, got))
