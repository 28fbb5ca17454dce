# plot.awk - draws what the bench has saved, by depth, as an SVG.
#
# SPDX-License-Identifier: Apache-2.0
#
# A line of input is what, peer, depth, and three quartiles, divided by tabs.
# Each "what" is a panel, each peer a line of medians with a bar from the lower
# quartile to the upper. only: the panels to draw, divided by commas; all,
# without it.

BEGIN {
    FS = "\t"
    width = 460; height = 300; left = 60; top = 46; deepest = 8
    split("#d62728 #1f77b4 #17becf #2ca02c #9467bd #ff7f0e #8c564b", color, " ")
    unit["socket"] = "MB per CPU second, TCP, two processes, 64 KiB writes"
    unit["exchanges"] = "thousand exchanges of 100 B per CPU second, TCP"
    unit["setup"] = "ms to the first reply, TCP, Nagle on"
}

only == "" || index("," only ",", "," $1 ",") {
    if (!($1 in top_of)) {
        panel[++panels] = $1
        top_of[$1] = 0
    }
    if (!($2 in color_of)) {
        peer[++peers] = $2
        color_of[$2] = color[(peers - 1) % 7 + 1]
    }
    key = $1 FS $2
    if (!((key, $3) in median))
        depths[key] = depths[key] " " $3
    low[key, $3] = $4
    median[key, $3] = $5
    high[key, $3] = $6
    if ($6 > top_of[$1])
        top_of[$1] = $6
}

function x(depth) { return x0 + left + (width - left - 20) * depth / deepest }
function y(v) { return y0 + height - 30 - (height - 30 - top) * v / most }

function text(at_x, at_y, size, anchor, words) {
    printf "<text x='%.1f' y='%.1f' font-size='%d' text-anchor='%s'>%s" \
        "</text>\n", at_x, at_y, size, anchor, words
}

function line(x1, y1, x2, y2, stroke, thick) {
    printf "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='%s' " \
        "stroke-width='%s'/>\n", x1, y1, x2, y2, stroke, thick
}

# A step that gives about five lines.
function step_of(v,   s) {
    s = 10 ^ int(log(v) / log(10) - (v < 1))
    return v / s > 5 ? s : v / s > 2 ? s / 2 : s / 5
}

function axes(name,   v, d) {
    most = top_of[name] * 1.05
    text(x0 + width / 2, y0 + 20, 14, "middle", name in unit ? unit[name] \
        : "memory, " name ": share of the limit")
    for (v = 0; v <= most; v += step_of(most)) {
        line(x(0), y(v), x(deepest), y(v), "#dddddd", 1)
        text(x(0) - 6, y(v) + 4, 11, "end", sprintf("%.4g", v))
    }
    for (d = 1; d <= deepest; d++)
        text(x(d), y(0) + 16, 11, "middle", d)
    text(x(deepest / 2), y(0) + 29, 11, "middle", "depth")
}

function curve(key, stroke,   n, at, i, points) {
    n = split(depths[key], at, " ")
    for (i = 1; i <= n; i++) {
        points = points sprintf(" %.1f,%.1f", x(at[i]), y(median[key, at[i]]))
        line(x(at[i]), y(low[key, at[i]]), x(at[i]), y(high[key, at[i]]),
            stroke, 0.7)
    }
    printf "<polyline points='%s' fill='none' stroke='%s' " \
        "stroke-width='%s'/>\n", points, stroke, stroke == color[1] ? 3 : 1.5
}

END {
    rows = int((panels + 1) / 2)
    printf "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %d' " \
        "width='%d' font-family='sans-serif'>\n", 2 * width,
        rows * height + 40, 2 * width
    print "<rect width='100%' height='100%' fill='white'/>"
    for (i = 1; i <= panels; i++) {
        x0 = (i - 1) % 2 * width
        y0 = int((i - 1) / 2) * height
        axes(panel[i])
        for (j = peers; j > 0; j--)     # the first peer, ours, on top
            if ((panel[i] FS peer[j]) in depths)
                curve(panel[i] FS peer[j], color_of[peer[j]])
    }
    for (j = 1; j <= peers; j++) {
        at = 20 + (j - 1) * 125
        line(at, rows * height + 20, at + 20, rows * height + 20,
            color_of[peer[j]], 3)
        text(at + 26, rows * height + 24, 12, "start",
            peer[j] == "stack" ? "bio_onion" : peer[j])
    }
    print "</svg>"
}
