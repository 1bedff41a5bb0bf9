"""A sentence of a chapter, Markdown with formulas, for a terminal and for a page."""

import html
import re

from minirnn.course.formula import plain
from minirnn.course.mathml import NotConverted, mathml

_INLINE = re.compile(r"\$(?P<math>[^$]+)\$|`(?P<code>[^`]+)`|\*\*(?P<strong>.+?)\*\*|\*(?P<em>[^\s*][^*]*)\*"
                     r"|\[(?P<link>[^\]]+)\]\([^)]*\)", re.S)


def as_text(markdown):
    """For a terminal: formulas in Unicode, no marks. as_text("the **gate** $f_t$") is "the gate f_t"."""
    return _INLINE.sub(lambda m: plain(m["math"]) if m["math"] else m["code"] or as_text(m[m.lastgroup]), markdown)


def as_html(markdown, failed):
    """For a page: formulas in MathML, everything else escaped; ``failed(latex, reason)`` hears what stays LaTeX."""
    made, end = "", 0
    for m in _INLINE.finditer(markdown):
        made += html.escape(markdown[end : m.start()])
        end, kind = m.end(), m.lastgroup
        if kind == "math":
            made += formula(m["math"], failed)
        elif kind == "link":  # a page without network: the words alone
            made += as_html(m["link"], failed)
        else:
            inner = html.escape(m["code"]) if kind == "code" else as_html(m[kind], failed)
            made += f"<{kind}>{inner}</{kind}>"
    return made + html.escape(markdown[end:])


def formula(latex, failed, display=False):
    """A formula in MathML, or its LaTeX where ``failed(latex, reason)`` had to be told."""
    try:
        return mathml(latex, display)
    except NotConverted as error:
        failed(latex, error)
        return f"<code>{html.escape(latex)}</code>"
