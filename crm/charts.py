"""Server-drawn charts: HTML for every text, SVG only for the marks.

Marks stretch because the SVG has preserveAspectRatio="none" with non-scaling strokes;
text never does, because it is HTML. No style attribute is written, so the CSP's
style-src 'self' holds; colours are classes, so dark mode and print need no redraw.
"""

import math
from collections.abc import Callable, Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTH, HEIGHT = 1000, 400
MOST_NAMES = 16  # below the columns of a chart


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers from at or below `low` to at or above `high`."""
    raw = ((high - low) or 1) / (count - 1)
    magnitude = 10 ** math.floor(math.log10(raw))
    step = next(
        m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= raw * 0.999
    )
    first, last = math.floor(low / step) * step, math.ceil(high / step) * step
    return [round(first + i * step, 6) for i in range(round((last - first) / step) + 1)]


def written(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def sparkline(values: Sequence[float], tone: str = "s1") -> SafeString:
    """Decorative: the tile beside it states the figure. Nothing for fewer than two values."""
    if len(values) < 2:
        return SafeString("")
    width, height, pad = 120, 36, 3
    low, span = min(values), (max(values) - min(values)) or 1
    step = (width - 2 * pad) / (len(values) - 1)
    points = [
        (
            round(pad + i * step, 1),
            round(height - pad - (v - low) / span * (height - 2 * pad), 1),
        )
        for i, v in enumerate(values)
    ]
    line = "M" + "L".join(f"{x} {y}" for x, y in points)
    area = f"{line}L{points[-1][0]} {height}L{points[0][0]} {height}Z"
    return format_html(
        '<svg class="spark tone-{}" viewBox="0 0 {} {}" preserveAspectRatio="none"'
        ' aria-hidden="true" focusable="false"><path class="spark-area" d="{}"/>'
        '<path class="spark-line" d="{}"/></svg>',
        tone,
        width,
        height,
        area,
        line,
    )


def columns(
    names: Sequence[str],
    values: Sequence[float],
    *,
    unit: str,
    label: str,
    before: Sequence[float] = (),
    before_label: str = "",
    ahead: int = 0,
) -> SafeString:
    """Columns from zero, with a mark across each where `before` stood a period ago; the
    last `ahead` ones are still to come and paler.

    Each column names its figures to pointer and reader.
    """
    ticks = nice_ticks(min(0, *values, *before), max(1, *values, *before))
    low, high = ticks[0], ticks[-1]

    def y(value: float) -> float:
        return round(HEIGHT - (value - low) / (high - low) * HEIGHT, 1)

    grid = format_html_join(
        "",
        '<line class="g" x1="0" x2="{}" y1="{}" y2="{}"/>',
        ((WIDTH, y(t), y(t)) for t in ticks),
    )
    return format_html(
        '<div class="plot-line cols"><ol class="plot-y" aria-hidden="true">{}</ol>'
        '<svg class="plot" viewBox="0 0 {} {}" preserveAspectRatio="none" role="group"'
        ' aria-label="{}">{}{}</svg><ol class="plot-x" aria-hidden="true">{}</ol></div>',
        format_html_join("", "<li>{}</li>", ((written(t),) for t in reversed(ticks))),
        WIDTH,
        HEIGHT,
        label,
        grid,
        _marks(names, values, unit, y, before, before_label, len(values) - ahead),
        format_html_join(
            "",
            '<li class="{}">{}</li>',
            (("alt" if i % 2 else "on", name) for i, name in enumerate(_sparse(names))),
        ),
    )


def _sparse(names: Sequence[str]) -> list[str]:
    """As many of the names as can be read side by side; the columns say all of them."""
    step = math.ceil(len(names) / MOST_NAMES)
    return [name if i % step == 0 else "" for i, name in enumerate(names)]


def _marks(
    names: Sequence[str],
    values: Sequence[float],
    unit: str,
    y: Callable[[float], float],
    before: Sequence[float],
    before_label: str,
    known: int,
) -> SafeString:
    """The columns themselves; `y` turns a value into a height on the drawing."""
    step = WIDTH / len(values)
    wide, zero = step * 0.62, y(0)
    marks = []
    for index, (name, value) in enumerate(zip(names, values, strict=True)):
        left = round(index * step + (step - wide) / 2, 1)
        said, line = f"{name}: {written(value)} {unit}", SafeString("")
        if before:
            said += f", {before_label} {written(before[index])} {unit}"
            line = format_html(
                '<line class="was" x1="{}" x2="{}" y1="{}" y2="{}"/>',
                round(left - step * 0.1, 1),
                round(left + wide + step * 0.1, 1),
                y(before[index]),
                y(before[index]),
            )
        area = (round(index * step, 1), round(step, 1), HEIGHT)
        column = (
            left,
            min(y(value), zero),
            round(wide, 1),
            abs(round(zero - y(value), 1)),
        )
        tone = "c1" if index < known else "c1 ahead"
        marks.append((said, *area, tone, *column, line))
    return format_html_join(
        "",
        '<g class="hit col" role="img" aria-label="{}">'
        '<rect class="area" x="{}" y="0" width="{}" height="{}"/>'
        '<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>{}</g>',
        marks,
    )


def bars(rows: Sequence[tuple[str, int, str]], *, label: str) -> SafeString:
    """(name, value, address or "") as a list whose length is drawn."""
    top = max((value for _name, value, _url in rows), default=1) or 1
    items = []
    for name, value, url in rows:
        inner = format_html(
            '<span class="bn">{}</span><svg class="bar c1" viewBox="0 0 100 10"'
            ' preserveAspectRatio="none" aria-hidden="true" focusable="false">'
            '<rect width="{}" height="10"/></svg><span class="bv">{}</span>',
            name,
            round(value / top * 100, 1),
            written(value),
        )
        shape = (
            '<li><a href="{}">{}</a></li>'
            if url
            else '<li><div class="row">{1}</div></li>'
        )
        items.append((format_html(shape, url, inner),))
    return format_html(
        '<ul class="plot-bars" aria-label="{}">{}</ul>',
        label,
        format_html_join("", "{}", items),
    )


def flow(
    bands: Sequence[tuple[str, str, int, str]], order: Sequence[str], *, label: str
) -> SafeString:
    """(from, to, number, tone) as bands between two columns of nodes, both in `order`.

    Tones are the classes up, down, same, new. Its text lies in the drawing and keeps its
    proportions; a table beside it tells the same to readers and to narrow screens.
    """
    total = sum(band[2] for band in bands)
    if not total:
        return SafeString("")
    columns = [
        [n for n in order if any(b[side] == n for b in bands)] for side in (0, 1)
    ]
    gap, height = 16, 320
    most = max(len(names) for names in columns)
    scale = (height - gap * (most - 1)) / total
    nodes, tops = [], {}
    for side, names in enumerate(columns):
        y = 0.0
        for name in names:
            number = sum(band[2] for band in bands if band[side] == name)
            high = max(number * scale, 1)
            tops[side, name] = y
            x, at, anchor = ((200, 190, "end"), (788, 812, "start"))[side]
            middle = round(y + high / 2 + 5, 1)
            nodes.append(
                (x, round(y, 1), round(high, 1), at, middle, anchor, name, number)
            )
            y += high + gap
    return format_html(
        '<svg class="flow" viewBox="0 -4 1000 {}" role="img" aria-label="{}">{}{}</svg>',
        height + gap,
        label,
        _bands(bands, tops, scale),
        format_html_join(
            "",
            '<rect class="node" x="{}" y="{}" width="12" height="{}"/>'
            '<text x="{}" y="{}" text-anchor="{}">{} {}</text>',
            nodes,
        ),
    )


def _bands(
    bands: Sequence[tuple[str, str, int, str]],
    tops: dict[tuple[int, str], float],
    scale: float,
) -> SafeString:
    """The bands themselves; `tops` is where each node's next one begins."""
    drawn = []
    for left, right, number, tone in bands:
        high = number * scale
        a, b = round(tops[0, left], 1), round(tops[1, right], 1)
        tops[0, left] += high
        tops[1, right] += high
        low = round(max(high, 1), 1)
        drawn.append((tone, a, a, b, b, low, b + low, a + low, a + low))
    return format_html_join(
        "",
        '<path class="band {}" d="M212 {}C500 {} 500 {} 788 {}v{}C500 {} 500 {} 212 {}Z"/>',
        drawn,
    )
