"""The formula sheet: every equation with its words, its lines of code and its tests, as one page without network."""

import html

from minirnn.course.equations import SOURCES
from minirnn.course.prose import as_html, as_text, formula
from minirnn.plots.page import LIGHT, Section, page

STYLE = f"""math {{ font-family: "STIX Two Math", "Cambria Math", "Latin Modern Math", math, serif; font-size: 1.1em }}
mi.bold {{ font-weight: bold }}
mtd[columnalign=left] {{ text-align: left }} mtd[columnalign=right] {{ text-align: right; padding-right: 0 }}
mtd[columnalign=right] + mtd {{ padding-left: 0 }} mtd + mtd[columnalign=right] {{ padding-left: 2em }}
article {{ border-top: 1px solid var(--rule); padding: .6rem 0; scroll-margin-top: 4rem }}
article:target {{ background: var(--bar); box-shadow: -.5rem 0 var(--bar), .5rem 0 var(--bar) }}
.row {{ display: flex; gap: 1rem; align-items: center; justify-content: space-between }}
.formula {{ overflow-x: auto; overflow-y: hidden; padding: .2rem 0; min-width: 0; font-size: 1.1rem }}
.formula math {{ display: block math; width: max-content; margin: 0; padding: .1rem 0 }}
.number {{ color: var(--soft); text-decoration: none; white-space: nowrap; font-variant-numeric: tabular-nums }}
article p.again {{ display: none }} .filtered p.again {{ display: block }} .filtered nav {{ display: none }}
ul.lines {{ list-style: none; margin: .2rem 0; padding: 0; font-size: .8rem }}
ul.lines li {{ overflow-wrap: anywhere; padding-left: 1.2rem; text-indent: -1.2rem }}
.lines .place {{ color: var(--soft) }}
@media (max-width: 36rem) {{ .formula {{ font-size: 1rem }} .row {{ gap: .5rem }} }}
code {{ font-size: .9em }} details {{ font-size: .8rem }} summary {{ color: var(--soft); cursor: pointer }}
h3 small {{ font-weight: normal }}
.find {{ position: sticky; top: 0; background: var(--paper); padding: .5rem 0; z-index: 1 }}
.find input {{ font: inherit; color: inherit; background: var(--bar); border: 1px solid var(--rule); border-radius: 4px;
  padding: .25rem .5rem; width: 18rem; max-width: 60% }}
nav ul {{ columns: 18rem; margin: .3rem 0; padding-left: 1.1rem }} nav li {{ break-inside: avoid }}
a {{ color: var(--c0) }} [hidden] {{ display: none !important }}
@media print {{ :root {{ color-scheme: light; {LIGHT} }} body {{ font-size: 10pt; margin: 0; max-width: none }}
  .find, nav, details {{ display: none }} article, h2, h3 {{ break-inside: avoid }} h2, h3 {{ break-after: avoid }}
  .formula {{ overflow: visible }} @page {{ margin: 15mm }} }}
"""
SCRIPT = """<script>
const box = document.getElementById("filter"), count = document.getElementById("count");
const articles = [...document.querySelectorAll("article")];
const texts = articles.map(a => (a.dataset.name + " " + a.textContent).toLowerCase());
function filter() {
  const words = box.value.toLowerCase().split(/\\s+/).filter(Boolean);
  articles.forEach((a, i) => a.hidden = !words.every(w => texts[i].includes(w)));
  document.body.classList.toggle("filtered", words.length > 0);
  document.querySelectorAll(".group, section").forEach(g => g.hidden = !g.querySelector("article:not([hidden])"));
  const left = articles.filter(a => !a.hidden).length;
  count.textContent = words.length ? left + " of " + articles.length : "";
}
box.addEventListener("input", filter);
addEventListener("hashchange", () => {
  box.value = "";
  filter();
  document.querySelector(":target")?.scrollIntoView();
});
filter();
</script>
"""


def sheet(equations, say):
    """The page of {name: Equation}, grouped by source and section; ``say(text)`` hears of a formula left as LaTeX."""
    sections, links = [], []
    for source in dict.fromkeys(e.source for e in equations.values()):
        groups = {}
        for e in equations.values():
            if e.source == source:
                place = (e.derivations[0].section, e.derivations[0].chapter) if e.derivations else ("In no chapter", "")
                groups.setdefault(place, []).append(e)
        body = "".join(_group(f"{source}-{i}", *place, group, say) for i, (place, group) in enumerate(groups.items()))
        sections.append(Section(html.escape(f"{source}: {SOURCES[source].title}"), body, source))
        titles = (html.escape(as_text(title)) for title, _ in groups)
        items = (f"<li><a href='#{source}-{i}'>{title}</a>" for i, title in enumerate(titles))
        links.append(f"<li><a href='#{source}'>{source}</a><ul>{''.join(items)}</ul>")
    before = (
        f"<p>{len(equations)} equations: the formula, the words that introduce it in its chapter, the lines of code "
        "that compute it.</p>\n<div class=find><label>Filter <input id=filter type=search autocomplete=off "
        "placeholder='forget gate, 2.2.5, lstm.py'></label> <output id=count></output></div>\n"
        f"<nav aria-label=Contents><ul>{''.join(links)}</ul></nav>")
    return page("Formula sheet", sections, before=before, style=STYLE, after=SCRIPT)


def _group(name, title, chapter, equations, say):
    """The equations of one section under its heading; words that several share are shown with the first alone."""
    body, last = "", None
    for e in equations:
        words = e.derivations[0].words if e.derivations and e.derivations[0].words != title else ""
        body += _article(e, words, words == last, say)
        last = words
    heading = f"{as_html(title, _teller(say, title))} <small>{html.escape(chapter)}</small>"
    return f"<div class=group id={name}><h3>{heading}</h3>{body}</div>\n"


def _teller(say, name):
    return lambda latex, reason: say(f"equations: {name}: {latex!r} is shown as LaTeX: {reason}")


def _article(e, words, again, say):
    """One equation: formula and number, words, the first line of code; the others folded."""
    failed = _teller(say, e.cited)
    shown = "".join(formula(d.latex, failed, display=True) for d in e.derivations[:1] if d.latex)
    computed = e.statements or e.code
    others = [*computed[1:], *(place for place in e.code if place not in computed), *e.tests]
    counts = [f"{n} {what}{'s' * (n != 1)}" for n, what in
              ((len(e.code) - len(computed[:1]), "other line"), (len(e.tests), "test")) if n]
    folded = f"<details><summary>{' and '.join(counts)}</summary>{_lines(e, others)}</details>" if others else ""
    number = html.escape(e.name.replace(" ", "-"))
    said = f"<p{' class=again' * again}>{as_html(words, failed)}</p>" if words else ""
    return (f"<article id='eq-{number}' data-name='{html.escape(e.cited)}'><div class=row>"
            f"<div class=formula>{shown}</div><a class=number href='#eq-{number}'>({html.escape(e.name)})</a></div>"
            f"{said}{_lines(e, computed[:1])}{folded}</article>\n")


def _lines(e, places):
    items = (f"<li><span class=place>{html.escape(place)}</span> <code>{html.escape(e.lines[place])}</code>"
             for place in places)
    return f"<ul class=lines>{''.join(items)}</ul>"
