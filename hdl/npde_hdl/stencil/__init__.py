"""One explicit time step in gateware: line buffer, multiply-accumulate lanes, reaction."""
