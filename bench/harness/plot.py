# SPDX-License-Identifier: BSD-3-Clause
"""Line charts as SVG, without any library: enough for docs/."""
import html
import math

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 80, 170, 48, 56
COLOURS = ["#1b6ca8", "#c8553d", "#2a7f4f", "#7b4fa3", "#8a6d1f"]


def linear_ticks(low, high):
    """Five or so round numbers between low and high."""
    step = 10 ** math.floor(math.log10((high - low) / 4))
    step *= next(m for m in (1, 2, 5, 10) if (high - low) / (m * step) <= 6)
    first = math.ceil(low / step)
    return [i * step for i in range(first, math.floor(high / step) + 1)]


def decade_ticks(low, high):
    return [10.0 ** e for e in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


def label_of(value):
    """1500 -> "1.5 k", 2000000 -> "2 M"."""
    for limit, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= limit:
            return f"{value / limit:g}{unit}"
    return f"{value:g}"


class Axis:
    """Maps values of one dimension to pixels."""

    def __init__(self, values, begin, end, logarithmic):
        self.logarithmic, self.begin, self.end = logarithmic, begin, end
        low, high = min(values), max(values)
        self.ticks = decade_ticks(low, high) if logarithmic else linear_ticks(0, high * 1.05)
        if logarithmic:
            self.low, self.high = math.log10(self.ticks[0]), math.log10(self.ticks[-1])
            self.high = max(self.high, self.low + 1)
        else:
            self.low, self.high = 0.0, high * 1.05

    def place(self, value):
        position = math.log10(value) if self.logarithmic else value
        return self.begin + (position - self.low) / (self.high - self.low) * (self.end - self.begin)


def text(x, y, words, anchor="middle", size=12, extra=""):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" {extra}>'
            f"{html.escape(words)}</text>")


def line_chart(title, x_name, y_name, series, log_x=False, log_y=False):
    """`series` is {name: [(x, y), ...]}; answers the SVG's text."""
    points = [p for line in series.values() for p in line]
    x = Axis([p[0] for p in points], LEFT, WIDTH - RIGHT, log_x)
    y = Axis([p[1] for p in points], HEIGHT - BOTTOM, TOP, log_y)
    parts = [
        "<!-- SPDX-License-Identifier: BSD-3-Clause; drawn by scripts/bench -->",
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" fill="#222">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        text(LEFT, 24, title, "start", 15),
        text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, x_name),
        text(20, (TOP + HEIGHT - BOTTOM) / 2, y_name, extra=f'transform="rotate(-90 20 {(TOP + HEIGHT - BOTTOM) / 2})"'),
    ]
    for tick in x.ticks:
        at = x.place(tick)
        parts.append(f'<line x1="{at:.1f}" y1="{TOP}" x2="{at:.1f}" y2="{HEIGHT - BOTTOM}" stroke="#e4e4e4"/>')
        parts.append(text(at, HEIGHT - BOTTOM + 18, label_of(tick)))
    for tick in y.ticks:
        at = y.place(tick)
        parts.append(f'<line x1="{LEFT}" y1="{at:.1f}" x2="{WIDTH - RIGHT}" y2="{at:.1f}" stroke="#e4e4e4"/>')
        parts.append(text(LEFT - 8, at + 4, label_of(tick), "end"))
    for number, (name, line) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{x.place(a):.1f},{y.place(b):.1f}" for a, b in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x.place(a):.1f}" cy="{y.place(b):.1f}" r="3" fill="{colour}"/>' for a, b in line]
        parts.append(text(WIDTH - RIGHT + 12, TOP + 12 + 20 * number, name, "start", 12, f'fill="{colour}"'))
    return "\n".join(parts + ["</svg>", ""])
