"""When training has gone wrong in a way that the losses do not show."""

from typing import Callable, NamedTuple


class CollapseCheck(NamedTuple):
    """A warning, given each time that a measure or a loss goes wrong.

    Attributes:
        measure: what it looks at in a row of the log, without the domain, such as "diversity" or "kl".
        is_wrong: takes (value, lowest, highest), the latter two so far in the run, this value included.
        message: of one line, with places for {name}, {value}, {lowest} and {highest}.
    """

    measure: str
    is_wrong: Callable[[float, float, float], bool]
    message: str


def diversity_check(flag):
    """Warns where outputs begin to ignore the style; `flag` is the weight that may help against it."""
    return CollapseCheck(
        "diversity",
        lambda value, lowest, highest: value < highest / 10,
        "outputs hardly differ by style any more: {name} is {value:.4f}, at its best it was {highest:.4f}. "
        f"Look at the sample grids; an earlier checkpoint, or a larger {flag}, may serve better.",
    )
