r"""A chapter's LaTeX as a line of Unicode for a terminal.

plain(r"\mathbf{c}_t = \mathbf{f}_t \odot \mathbf{c}_{t-1}") is "c_t = f_t ⊙ c_{t-1}".
"""

import re

LETTERS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "epsilon": "ϵ", "varepsilon": "ε", "zeta": "ζ", "eta": "η",
    "theta": "θ", "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ",
    "sigma": "σ", "tau": "τ", "upsilon": "υ", "phi": "ϕ", "varphi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω",
    "Gamma": "Γ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ", "Phi": "Φ",
    "Psi": "Ψ", "Omega": "Ω", "infty": "∞", "ell": "ℓ", "top": "⊤", "dots": "…", "ldots": "…", "cdots": "⋯"}
SIGNS = {
    "odot": "⊙", "cdot": "·", "times": "×", "circ": "∘", "oplus": "⊕", "otimes": "⊗", "pm": "±", "le": "≤", "leq": "≤",
    "ge": "≥", "geq": "≥", "ne": "≠", "neq": "≠", "ll": "≪", "gg": "≫", "approx": "≈", "equiv": "≡", "sim": "~",
    "propto": "∝", "in": "∈", "to": "→", "rightarrow": "→", "leftarrow": "←", "mapsto": "↦", "Rightarrow": "⇒",
    "ast": "*", "mid": "|", "pluseq": "+="}
PREFIXES = {"partial": "∂", "nabla": "∇", "delta": "δ", "Delta": "Δ"}  # close to what they are a change of
LARGE = {"sum": "∑", "prod": "∏", "int": "∫"}
FUNCTIONS = {"tanh", "sinh", "cosh", "sin", "cos", "ln", "log", "exp", "min", "max", "arg", "argmin", "argmax", "lim",
             "det", "dim", "sup", "inf"}
FONTS = {"mathbf", "mathrm", "mathit", "mathcal", "mathbb", "mathsf", "boldsymbol", "bm"}
WORDS = {"text", "texttt", "textit", "textbf", "textrm", "mathtt", "operatorname"}
ACCENTS = {"hat": "\u0302", "tilde": "\u0303", "bar": "\u0304", "dot": "\u0307"}
OPEN = {"langle": "⟨", "lVert": "‖", "lvert": "|", "lbrace": "{"}
CLOSE = {"rangle": "⟩", "rVert": "‖", "rvert": "|", "rbrace": "}"}
SIZES = {"left", "right", "big", "Big", "bigg", "Bigg", "bigl", "bigr", "Bigl", "Bigr", "displaystyle", "limits"}
BLANKS = {r"\,": " ", r"\ ": " ", r"\;": " ", r"\:": " ", r"\!": "", r"\quad": "   ", r"\qquad": "   ", "~": " "}
RAISED = str.maketrans("0123456789+-*", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻*")
_TOKEN = re.compile(r"\\[a-zA-Z]+\s*|\\.|\s+|\d+(?:\.\d+)?|.", re.S)
PLUS_IS = r"\mathrel{+}="


class _Unknown(Exception):
    """Something this reader of LaTeX has no Unicode for."""


def plain(latex):
    """One line of Unicode, or one a row of an aligned formula; the LaTeX as it stands where that is not easy."""
    try:
        reader = _Reader(latex.replace(PLUS_IS, r"\pluseq "))
        lines = "\n".join(reader.rows(None)).split("\n")
        return "\n".join(" ".join(line.split()).replace("\x00", "   ") for line in lines)
    except _Unknown:
        return " ".join(latex.split())


class _Reader:
    """LaTeX read from left to right as parts (kind, text): atom, fraction, sign, large, prefix, open, close, blank."""

    def __init__(self, latex):
        self.tokens = [token if token == "\\ " else token.strip() or " " for token in _TOKEN.findall(latex)]
        self.at = 0

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self):
        token = self.peek()
        if token is None:
            raise _Unknown("it ends too early")
        self.at += 1
        return token

    def rows(self, end, between=" "):
        r"""The rows up to ``end``, an \end, or None for the end of all; ``between`` what belongs together in one."""
        rows, cells, parts = [], [], []
        while self.peek() != end:
            token = self.take()
            if token in ("&", r"\\"):
                cells.append(joined(parts))
                parts = []
                if token == r"\\":
                    rows.append(_row(cells, between))
                    cells = []
            elif token == r"\begin":
                parts.append(("atom", self.environment()))
            elif token != " ":
                parts += self.part(token)
        self.at += end is not None
        return [*rows, _row([*cells, joined(parts)], between)]

    def environment(self):
        name = self.raw()
        rows = self.rows(r"\end", ", " if name == "cases" else " ")
        if self.raw() != name or name.rstrip("*") not in ("aligned", "align", "split", "cases", "gathered"):
            raise _Unknown(name)
        if name == "cases":
            return "{ " + ";\x00".join(rows) + " }"
        return "\n".join(rows)

    def raw(self):
        """The text of a group in braces as it stands."""
        if self.take() != "{":
            raise _Unknown("no {")
        text, depth = "", 1
        while True:
            token = self.take()
            depth += (token == "{") - (token == "}")
            if depth == 0:
                return text
            text += token

    def group(self):
        """The parts of the next token or group."""
        while self.peek() == " ":
            self.at += 1
        token = self.take()
        if token.isdigit() and len(token) > 1:  # \tfrac12 is 1/2
            self.at -= 1
            self.tokens[self.at : self.at + 1] = token
            token = self.take()
        if token != "{":
            return self.part(token)
        parts = []
        while self.peek() != "}":
            token = self.take()
            if token != " ":
                parts += self.part(token)
        self.at += 1
        return parts

    def part(self, token):
        """The parts that begin with ``token``, with their scripts."""
        name = token[1:] if token[0] == "\\" else None
        if token in BLANKS:
            return [("blank", BLANKS[token])]
        if name in SIZES:
            if self.peek() == ".":
                self.at += 1
            return []
        if name in SIGNS or token in "=+-<>/*:;,|":
            return [("sign", SIGNS.get(name, token))]
        if token in "([" or token == r"\{" or name in OPEN:
            return [("open", OPEN.get(name, token[-1]))]
        kind, text = "atom", token
        if token in ")]" or token == r"\}" or name in CLOSE:
            kind, text = "close", CLOSE.get(name, token[-1])
        elif name in LARGE:
            kind, text = "large", LARGE[name]
        elif name in PREFIXES:
            text = PREFIXES[name]
            kind = "atom" if self.peek() == "_" else "prefix"  # delta_j is a name
        elif name in LETTERS:
            text = LETTERS[name]
        elif name in FUNCTIONS:
            kind, text = "function", name
        elif name in WORDS:
            text = self.raw()
        elif name in FONTS:
            text = joined(self.group())
        elif name in ("frac", "tfrac", "dfrac"):
            kind, text = "fraction", f"{_over(self.group())}/{_under(self.group())}"
        elif name in ACCENTS:
            text = joined(self.group()) + ACCENTS[name]
        elif name == "sqrt":
            inner = joined(self.group())
            text = f"√{inner}" if len(inner) == 1 else f"√({inner})"
        elif token == r"\|":
            text = "‖"
        elif token == "{":
            self.at -= 1
            text = joined(self.group())
        elif token == "%" or not token.isalnum() and token not in ".!?'":
            raise _Unknown(token)
        return [(kind, text + self.scripts(kind))]

    def scripts(self, kind):
        """What stands below, above and behind: "_t", "²", "'"."""
        below, above, primes = "", "", ""
        while self.peek() in ("_", "^", "'"):
            token = self.take()
            if token == "'":
                primes += "′"
            elif token == "_":
                below = joined(self.group()).replace(" ", "")
            else:
                above = joined(self.group()).replace(" ", "")
        if kind == "large" and below and above:
            return f"_{{{below}..{above}}}"
        return primes + (f"_{_braced(below)}" if below else "") + _raised(above)


def _row(cells, between):
    """Cells of an aligned row, "a &= b & c &= d": two and two belong together."""
    return "\x00".join(between.join(cells[i : i + 2]) for i in range(0, len(cells), 2)).strip()


def _braced(script):
    return script if script.isalnum() else f"{{{script}}}"


def _raised(script):
    if not script:
        return ""
    if script in ("⊤", "T"):
        return "ᵀ"
    raised = script.translate(RAISED)
    if all(c in "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻*" for c in raised):
        return raised
    return f"^{script}" if len(script) == 1 else f"^{{{script}}}"


def _over(parts):
    return f"({joined(parts)})" if any(kind == "sign" for kind, _ in parts) else joined(parts)


def _under(parts):
    return joined(parts) if sum(kind not in ("prefix", "blank") for kind, _ in parts) == 1 else f"({joined(parts)})"


def joined(parts):
    """Parts as one line: signs between blanks, a minus close to what it belongs to, a dot between factors of /."""
    line, last, before, gap = "", "open", "", False
    for kind, text in parts:
        if kind == "blank":
            gap = gap or text == " "
            if len(text) > 1:
                line, last, gap = line.rstrip() + "\x00", "open", False
        elif kind == "sign" and text in ",;:":
            line, last, gap = f"{line.rstrip()}{text} ", "open", False
        elif kind == "sign" and (last != "open" and last != "sign" or text not in "+-"):
            line = line if text == "|" and last == "sign" else line.rstrip()  # a + |b|
            line, last, gap = line + (text if text in "/|" else f" {text} "), "sign", False
        else:
            near = kind == "sign" or last in ("open", "sign", "prefix") or kind == "close"
            line += ("" if near else _between(last, before, kind, text, gap)) + text
            last, before, gap = "open" if kind == "sign" else kind, text, False
    return line.strip()


def _between(last, before, kind, text, gap):
    """What stands between two factors: a product of letters needs nothing, "4H", one of names a blank, "W_x x_t"."""
    if last == "fraction":
        return " · "
    if kind == "open" or last == kind == "atom" and _short(before) and _short(text):
        return " " if gap else ""
    return " "


def _short(text):
    return len(text.rstrip("′ᵀ⁰¹²³⁴⁵⁶⁷⁸⁹")) == 1 or text.isdigit()
