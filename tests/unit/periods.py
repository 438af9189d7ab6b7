"""Boundaries of subscriptions' periods, counted another way than the product does: one by one from the anchor, with datetime and calendar.

Usage: /usr/bin/python3 tests/unit/periods.py [--seed N] [--cases N]

Prints a case a line: the anchor, month or year, how many of them a period has, a day, and the first boundary after it.
"""

import argparse
import calendar
import datetime
import random


def boundary(anchor, months):
    """The anchor so many months later; the month's last day where it has no such day."""
    first = datetime.date(anchor.year + (anchor.month - 1 + months) // 12, (anchor.month - 1 + months) % 12 + 1, 1)
    return first.replace(day=min(anchor.day, calendar.monthrange(first.year, first.month)[1]))


def next_after(anchor, months, day):
    n = 0
    while boundary(anchor, n * months) <= day:
        n += 1
    return boundary(anchor, n * months)


def some_day(dice, years):
    """Ends of months come more often than by chance alone."""
    day = datetime.date(dice.randint(*years), dice.randint(1, 12), dice.randint(1, 28))
    if dice.random() < 0.5:
        day = day.replace(day=calendar.monthrange(day.year, day.month)[1] - dice.randint(0, 3))
    return day


def main():
    parser = argparse.ArgumentParser(description="cases for periods")
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--cases", type=int, default=5000)
    options = parser.parse_args()
    dice = random.Random(options.seed)
    for _ in range(options.cases):
        anchor, unit, count = some_day(dice, (1970, 2110)), dice.choice(("month", "month", "year")), dice.randint(1, 18)
        months = count * (12 if unit == "year" else 1)
        day = some_day(dice, (anchor.year - 1 if anchor.year > 1970 else 1970, anchor.year + 30))
        if dice.random() < 0.3:  # a boundary itself, or its eve
            day = boundary(anchor, months * dice.randint(0, 9)) - datetime.timedelta(days=dice.randint(0, 1))
        print(anchor, unit, count, day, next_after(anchor, months, day))


main()
