#!/usr/bin/env python3
"""Draws what policy_scale printed as an SVG.

usage: policy_scale | chart.py OUTPUT.svg
"""

import json
import math
import pathlib
import sys

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 360, 70, 30, 60, 60
SERIES = [("one_origin", "idle connections of one origin", "#1f6fb2"),
          ("many_origins", "origins with one idle connection each", "#c2571a")]


def draw(data):
    highest = max(point[key]["p99"] for point in data for key, _, _ in SERIES)
    top = max(1000.0, math.ceil(highest / 500) * 500)

    def x(idle):
        share = (math.log10(idle) - math.log10(data[0]["idle"])) / math.log10(data[-1]["idle"] / data[0]["idle"])
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(nanoseconds):
        return HEIGHT - BOTTOM - nanoseconds / top * (HEIGHT - TOP - BOTTOM)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
           'font-family="Helvetica, Arial, sans-serif" font-size="13" role="img">',
           "  <title>Cost of acquire and release by the number of idle connections and origins</title>",
           f'  <rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>']
    for step in range(6):
        value = top * step / 5
        out.append(f'  <line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#dddddd"/>')
        out.append(f'  <text x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.0f}</text>')
    for point in data:
        out.append(f'  <text x="{x(point["idle"]):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">'
                   f'{point["idle"]:,}</text>')
    out.append(f'  <text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 14}" text-anchor="middle">how many</text>')
    out.append(f'  <text x="{LEFT - 50}" y="{TOP - 36}">nanoseconds for one acquire and release: '
               "median (solid), 99th percentile (dashed)</text>")
    for index, (key, label, colour) in enumerate(SERIES):
        for figure, dash in (("median", ""), ("p99", ' stroke-dasharray="5 4"')):
            points = " ".join(f'{x(p["idle"]):.1f},{y(p[key][figure]):.1f}' for p in data)
            out.append(f'  <polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        out.append(f'  <text x="{LEFT + 10 + index * 260}" y="{TOP - 14}" fill="{colour}">{label}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    pathlib.Path(sys.argv[1]).write_text(draw(json.load(sys.stdin)))
