"""Bars, or a curve, as an SVG image for a page of documentation; colours that are readable on light and dark pages."""

from collections.abc import Sequence
from html import escape

WIDTH, BAR, GAP, LEFT, RIGHT, TOP = 720, 22, 10, 190, 110, 44


def bar_chart(title: str, rows: Sequence[tuple[str, float]], unit: str) -> str:
    """Return the image. Shape: rows are (name, value), drawn from above; the longest bar is the largest value."""
    height = TOP + len(rows) * (BAR + GAP)
    largest = max((value for _, value in rows), default=1) or 1
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">',
        '<g font-family="system-ui, sans-serif" font-size="14" fill="#777">',
        f"<title>{escape(title)}</title>",
        f'<text x="0" y="20" font-weight="600">{escape(title)}</text>',
    ]
    for number, (name, value) in enumerate(rows):
        y = TOP + number * (BAR + GAP)
        length = (WIDTH - LEFT - RIGHT) * value / largest
        middle = y + BAR * 0.7
        lines += [
            f'<text x="{LEFT - 10}" y="{middle:.0f}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="3" fill="#3b7dd8"/>',
            f'<text x="{LEFT + length + 8:.0f}" y="{middle:.0f}">{value:,.0f} {escape(unit)}</text>',
        ]
    return "\n".join([*lines, "</g>", "</svg>", ""])


def line_chart(title: str, points: Sequence[tuple[float, float]], unit: str) -> str:
    """Return the image of a curve from zero. Shape: points are (x, y) with x growing; the last x is written below."""
    width, height = WIDTH - LEFT, 220
    most = max((y for _, y in points), default=1) or 1
    last = max((x for x, _ in points), default=1) or 1
    bottom = TOP + height
    line = " ".join(f"{LEFT / 2 + x / last * width:.1f},{bottom - y / most * height:.1f}" for x, y in points)
    size = f'width="{WIDTH}" height="{bottom + 30}" viewBox="0 0 {WIDTH} {bottom + 30}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
        '<g font-family="system-ui, sans-serif" font-size="14" fill="#777">',
        f"<title>{escape(title)}</title>",
        f'<text x="0" y="20" font-weight="600">{escape(title)}</text>',
        f'<text x="{LEFT / 2 - 8:.0f}" y="{TOP + 5}" text-anchor="end">{most:,.0f} {escape(unit)}</text>',
        f'<text x="{LEFT / 2 - 8:.0f}" y="{bottom}" text-anchor="end">0</text>',
        f'<text x="{LEFT / 2 + width:.0f}" y="{bottom + 20}" text-anchor="end">{last:,.0f}</text>',
        f'<polyline points="{line}" fill="none" stroke="#3b7dd8" stroke-width="2"/>',
    ]
    return "\n".join([*lines, "</g>", "</svg>", ""])
