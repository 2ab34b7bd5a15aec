"""An evolution's updates as the runtime's tables."""

from __future__ import annotations

from npde.firmware.csource import BOUNDARIES, CSource, truth
from npde.firmware.stages import rows_reached
from npde.program import Evolve, Grid, Update

LARGEST_SHIFT = 62
"""A product has at most 36 bits: from here on every further shift rounds it to zero as well."""


def scratch_values(evolve: Evolve) -> int:
    """The most values any of its updates has."""
    return max(len(update.forms) + len(update.products) for update in evolve.body)


def evolve_table(source: CSource, name: str, evolve: Evolve, grid: Grid, coefficients: str, maps: str, map_memories: int) -> None:
    """Declare ``name`` and all it points to; ``coefficients`` and ``maps`` are the places of its memories."""
    rows = [_update(source, f"{name}_{number}", evolve, update, grid) for number, update in enumerate(evolve.body)]
    source.structure("npde_evolve", name, {
        "updates": source.structures("npde_update", f"{name}_updates", rows), "coefficients": coefficients, "maps": maps,
        "update_count": len(rows), "times": evolve.times, "planes": evolve.times if evolve.planes else 1,
        "coefficient_count": evolve.coefficients, "weight_bits": evolve.weight.width, "bias_bits": evolve.bias.width,
        "map_memories": map_memories,
    })  # fmt: skip


def _update(source: CSource, name: str, evolve: Evolve, update: Update, grid: Grid) -> dict[str, object]:
    formats, frac = evolve.value_formats(update, grid), evolve.accumulator_frac(update, grid)
    forms = []
    for number, form in enumerate(update.forms):
        taps = [{"dy": dy, "dx": dx} for dy, dx in form.taps]
        forms.append({
            "taps": source.structures("npde_tap", f"{name}_taps_{number}", taps),
            "weights": source.array("int8_t", f"{name}_weights_{number}", form.weights),
            "tap_count": len(taps), "channel": form.channel, "shift": form.shift,
        })  # fmt: skip
    products = []
    for product in update.products:
        shift = formats[product.left].frac + formats[product.right].frac - product.out.frac
        products.append({"left": product.left, "right": product.right, "shift": min(shift, LARGEST_SHIFT), "bits": product.out.width})
    targets = []
    for channel in update.updated:
        terms = [
            {"coefficient": term.coefficient, "value": term.value, "shift": frac - evolve.weight.frac - formats[term.value].frac}
            for term in update.terms
            if term.channel == channel
        ]
        biased = channel in update.biased
        targets.append({
            "terms": source.structures("npde_term", f"{name}_terms_{channel}", terms), "term_count": len(terms), "channel": channel,
            "bias": update.biased.index(channel) if biased else -1, "bias_shift": frac - evolve.bias.frac if biased else 0,
            "skip_shift": frac - grid.q.frac if update.skip else 0, "shift": frac - grid.q.frac,
        })  # fmt: skip
    return {
        "forms": source.structures("npde_form", f"{name}_forms", forms),
        "products": source.structures("npde_product", f"{name}_products", products),
        "targets": source.structures("npde_target", f"{name}_targets", targets),
        "form_count": len(forms), "product_count": len(products), "target_count": len(targets),
        "reach_y": rows_reached(update.forms), "boundary": BOUNDARIES[update.boundary], "skip": truth(update.skip),
    }  # fmt: skip
