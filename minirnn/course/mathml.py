"""A chapter's LaTeX as MathML for a page, which browsers show without a library of their own."""

import html
import unicodedata

from minirnn.course.formula import PLUS_IS
from minirnn.errors import InputError

# MathML's elements that a formula may have, and of how many parts those are that have a fixed number
MATHML = {"math": 1, "mfrac": 2, "mroot": 2, "msub": 2, "msup": 2, "msubsup": 3, "munder": 2, "mover": 2,
          "munderover": 3} | dict.fromkeys(("mrow", "mi", "mn", "mo", "mtext", "mspace", "mstyle", "msqrt", "mtable",
                                            "mtr", "mtd", "mpadded"))
KEPT = {"alttext", "display", "displaystyle", "scriptlevel", "minsize", "maxsize", "stretchy", "fence", "form",
        "columnalign", "width", "linethickness", "accent", "movablelimits", "lspace", "rspace", "mathvariant"}


class NotConverted(Exception):
    """A formula that the library cannot convert, with the reason."""


def mathml(latex, display=False):
    """A formula as MathML for a page, in a line of its own with ``display``; the LaTeX stands in its alttext.

    InputError where latex2mathml is not installed, NotConverted for a formula that it cannot convert.
    """
    try:
        from latex2mathml.converter import convert_to_element
    except ImportError:
        raise InputError("equations: latex2mathml is not installed; install minirnn[course]") from None
    known = latex.replace("aligned}", "align*}").replace(PLUS_IS, r"\;\text{+=}\;")
    try:
        tree = convert_to_element(known, display="block" if display else "inline")
    except Exception as error:  # its errors share no class of their own, and a StopIteration is among them
        raise NotConverted(f"latex2mathml: {type(error).__name__} {error}".strip()) from error
    tree.set("alttext", " ".join(latex.split()))
    return _element(tree)


def _element(tree):
    """A tree as text: what MathML has, all else refused, every text escaped, bold letters as letters in bold."""
    tag, text = tree.tag, html.unescape(tree.text or "")
    if tag not in MATHML or MATHML[tag] not in (None, len(tree)) or "\\" in text or text == "&":
        raise NotConverted(f"latex2mathml left {text or tag!r}")
    kept = {name: value for name, value in tree.attrib.items() if name in KEPT}
    if text == "~":  # a relation, which the library takes for a name
        tag, text, kept = "mo", "∼", {"lspace": ".28em", "rspace": ".28em"}
    if text and "BOLD" in unicodedata.name(text[0], ""):
        text, kept = unicodedata.normalize("NFKC", text), kept | {"class": "bold", "mathvariant": "normal"}
    kept = "".join(f' {name}="{html.escape(value)}"' for name, value in kept.items())
    return f"<{tag}{kept}>{html.escape(text)}{''.join(map(_element, tree))}</{tag}>"
