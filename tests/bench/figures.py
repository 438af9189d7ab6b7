"""Figures: the median of several rounds with its spread, what it has to hold, and the table of them."""

import statistics


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Figure:
    """One row of the table: a value a round. hold is (">=" or "<=" or "<", bound), or None where it is only shown."""

    def __init__(self, name, values, unit="", hold=None, note=""):
        self.name = name
        self.values = [value for value in values if value is not None]
        self.unit = unit
        self.hold = hold
        self.note = note

    @property
    def median(self):
        return statistics.median(self.values)

    @property
    def held(self):
        if self.hold is None:
            return None
        sign, bound = self.hold
        return {">=": self.median >= bound, "<=": self.median <= bound, "<": self.median < bound}[sign]

    def as_json(self):
        return {"figure": self.name, "unit": self.unit, "median": self.median, "values": self.values,
                "hold": self.hold, "held": self.held, "note": self.note}


def ratios(name, ours, beside, hold, unit):
    """Each round's value over that of its neighbour in the same round; the note says what both were."""
    pairs = [a / b for a, b in zip(ours, beside)]
    note = f"{number(statistics.median(ours))} to {number(statistics.median(beside))} {unit}"
    return Figure(name, pairs, "", hold, note)


def number(value):
    if value >= 1000:
        return f"{value:,.0f}"
    if value >= 10:
        return f"{value:.1f}".rstrip("0").rstrip(".")
    return f"{value:.3g}"


def row(case, figure):
    spread = f"{number(min(figure.values))} .. {number(max(figure.values))}"
    hold = f"{figure.hold[0]} {number(figure.hold[1])}" if figure.hold else ""
    held = {True: "yes", False: "**no**", None: ""}[figure.held]
    unit = f" {figure.unit}" if figure.unit else ""
    return f"| {case} | {figure.name} | {number(figure.median)}{unit} | {spread} | {hold} | {held} | {figure.note} |"


HEAD = ("| case | figure | median | spread | hold | held | what |\n"
        "|---|---|---|---|---|---|---|")


def table(results):
    return "\n".join([HEAD, *(row(case, figure) for case, figures in results for figure in figures)])
