"""Formulas of the chapters as one line of Unicode and as MathML."""

import json
import re
import sys
from xml.etree import ElementTree

import pytest

from minirnn.course.equations import checkout, collect
from minirnn.course.formula import plain
from minirnn.course.mathml import NotConverted, mathml
from minirnn.course.prose import as_html, as_text
from minirnn.errors import InputError

PLAIN = {
    r"\mathbf{h}_t = \mathbf{o}_t \odot \varphi(\mathbf{c}_t)": "h_t = o_t ⊙ φ(c_t)",
    r"\mathbf{W}_{ih}\mathbf{x}_t + \mathbf{W}_{hh}\mathbf{h}_{t-1}": "W_ih x_t + W_hh h_{t-1}",
    r"\frac{\partial C}{\partial w_{ji}} = \delta_j\, x_i": "∂C/∂w_ji = δ_j x_i",
    r"\frac{\partial C}{\partial y_k}\,\frac{\partial y_k}{\partial z_k}\, w_{kj}": "∂C/∂y_k · ∂y_k/∂z_k · w_kj",
    r"\frac{8BH^2}{4sH^2} = \frac{2B}{s}": "8BH²/(4sH²) = 2B/s",
    r"\frac{e^{2x}-1}{e^{2x}+1}": "(e^{2x} - 1)/(e^{2x} + 1)",
    r"\delta\mathbf{W} = \sum_t \delta\mathbf{a}_t^\top \mathbf{h}_{t-1}": "δW = ∑_t δa_tᵀ h_{t-1}",
    r"\sum_{i=0}^{t}\texttt{keep}^{\,t-i+1}": "∑_{i=0..t} keep^{t-i+1}",
    r"a \mathrel{+}= -b \cdot x^{-1}": "a += -b · x⁻¹",
    r"W[x_t,\ h], \quad 4H\,(D+H)": "W[x_t, h],   4H (D + H)",
    r"f'(z_j)\sum_k \delta_k": "f′(z_j) ∑_k δ_k",
    r"\tanh x + \ln 2 + \min(P, \beta I)": "tanh x + ln 2 + min(P, βI)",
    r"\Big(\prod_{i=k+1}^{t} a_i\Big)\left. x \right|": "(∏_{i=k+1..t} a_i) x|",
    r"\tfrac12\ln 2": "1/2 · ln 2",
    r"a + |b_i| \le p(x \mid z)": "a + |b_i| ≤ p(x|z)",
    r"\hat{y} \in \{0, 1\}, \|x\| \le \sqrt{2}\,\sqrt{ab}": "y\u0302 ∈ {0, 1}, ‖x‖ ≤ √2 √(ab)",
    r"\begin{aligned}a &= b & c &= d\\ e &= f\end{aligned}": "a = b   c = d\ne = f",
    r"d = \begin{cases}m & \text{in training}\\ k & \text{later}\end{cases}": "d = { m, in training;   k, later }",
    "": "",
}


@pytest.mark.parametrize("latex", PLAIN)
def test_a_formula_is_a_line_of_unicode(latex):
    assert plain(latex) == PLAIN[latex]


@pytest.mark.parametrize("latex", [r"\underbrace{a}_b", r"\begin{matrix}a\end{matrix}", "x_{", r"\frac{a}", "a # b"])
def test_what_is_not_easy_stays_latex(latex):
    assert plain(latex) == latex


def test_every_tagged_equation_of_the_chapters_is_unicode_and_mathml():
    for e in collect(checkout()).values():
        for d in e.derivations:
            assert "\\" not in plain(d.latex) and "$" not in plain(d.latex), d
            tree = ElementTree.fromstring(mathml(d.latex, display=True))
            assert tree.tag == "math" and tree.get("display") == "block"
            assert tree.get("alttext").split() == d.latex.split() and "".join(tree.itertext()).strip()


def test_every_formula_in_the_text_of_the_chapters_is_mathml():
    found = 0
    for path in sorted((checkout() / "chapters").glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "markdown":
                for latex in re.findall(r"(?<!\$)\$([^$\n]+)\$(?!\$)", "".join(cell["source"])):
                    ElementTree.fromstring(mathml(latex))
                    found += 1
    assert found > 100


def test_bold_letters_need_no_font_of_their_own_and_rows_are_aligned():
    made = mathml(r"\begin{aligned}\mathbf{c}_t &= \mathrm{diag}(x) \sim y\\ b &\mathrel{+}= d\end{aligned}")
    assert '<mi class="bold" mathvariant="normal">c</mi>' in made and '<mi mathvariant="normal">d</mi>' in made
    assert made.count("<mtr>") == 2 and '<mtd columnalign="right">' in made and "<mtext>+=</mtext>" in made
    assert '<mo lspace=".28em" rspace=".28em">∼</mo>' in made and not re.search("[\U0001d400-\U0001d7ff]", made)


def test_nothing_of_a_formula_becomes_markup():
    made = mathml(r'\text{<script>alert(1)</script>} \href{javascript:alert(1)}{x} \style{color:red}{y} a < b"')
    assert "<script" not in made and "href=" not in made and "style=" not in made and "&lt;script&gt;" in made
    ElementTree.fromstring(made)


@pytest.mark.parametrize("latex", [r"\foo{y}", "a & b", r"\frac{a}", "x_", r"\begin{cases} a"])
def test_what_the_library_cannot_convert_is_refused_with_a_reason(latex):
    with pytest.raises(NotConverted, match="^latex2mathml"):
        mathml(latex)


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "latex2mathml.converter", None)
    with pytest.raises(InputError, match=r"^equations: latex2mathml is not installed; install minirnn\[course\]$"):
        mathml("x")


def test_words_for_a_terminal_and_for_a_page():
    words = "the **gate $f_t$** of `a < b`, *in* [chapter 02](02.ipynb) <b>"
    assert as_text(words) == "the gate f_t of a < b, in chapter 02 <b>"
    told = []
    made = as_html(words + r" $\foo{<}$", lambda latex, reason: told.append(latex))
    assert "<strong>gate <math" in made and "<code>a &lt; b</code>, <em>in</em> chapter 02 &lt;b&gt;" in made
    assert made.endswith(r"<code>\foo{&lt;}</code>") and told == [r"\foo{<}"]
