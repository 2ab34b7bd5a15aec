"""Components the planner asks for their size without building them."""

from amaranth.lib import wiring


class Sized(wiring.Component):
    """A component that may be made only to be asked its delay and what it holds; Amaranth then does not complain."""

    _MustUse__silence = True
