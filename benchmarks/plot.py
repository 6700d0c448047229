"""The one plot: bars of no-op jobs a second, drawn as SVG that follows a dark page."""

from xml.sax.saxutils import escape

from benchmarks.measurements import Figure
from benchmarks.record import Record

WIDTH, LABELS, VALUES = 760, 150, 70
"""Of the whole, of the names on the left, of the numbers on the right; in pixels."""
ROW, BAR, TOP, BOTTOM = 26, 18, 44, 30
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600 } .small { font-size: 11px }
.peer, .foreign { fill: #8c959f } .ours { fill: #1a7f5a } .floor { fill: #d0a215 }
@media (prefers-color-scheme: dark) { text { fill: #c9d1d9 } .peer, .foreign { fill: #6e7681 } }
"""


def as_svg(record: Record, figure: Figure) -> str:
    """Draw one figure of all who have it, the largest first."""
    roles = {one.column: one.role for one in record.contenders}
    middles = ((column, record.middle(column, figure)) for column in roles)
    found = sorted(((m, column) for column, m in middles if m is not None), reverse=True)
    largest = max((middle for middle, _ in found), default=1.0)
    bars = "".join(
        _bar(number, column, roles[column], middle, largest)
        for number, (middle, column) in enumerate(found)
    )
    height = TOP + ROW * len(found) + BOTTOM
    conditions = ", ".join(record.conditions.values())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        f' aria-label="{escape(figure.title)}"><style>{STYLE}</style>\n'
        f'<text class="title" x="8" y="24">{escape(figure.title)}</text>\n{bars}'
        f'<text class="small" x="8" y="{height - 10}">{escape(conditions)}</text>\n</svg>\n'
    )


def _bar(number: int, name: str, role: str, value: float, largest: float) -> str:
    y, length = TOP + ROW * number, (WIDTH - LABELS - VALUES) * value / largest
    middle = y + BAR / 2 + 5
    return (
        f'<text x="{LABELS - 8}" y="{middle:g}" text-anchor="end">{escape(name)}</text>'
        f'<rect class="{role}" x="{LABELS}" y="{y}" width="{max(length, 1):.1f}" height="{BAR}"/>'
        f'<text x="{LABELS + length + 6:.1f}" y="{middle:g}">{value:,.0f}</text>\n'
    )
