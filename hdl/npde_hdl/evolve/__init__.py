"""Evolutions in gateware: windows, arithmetic, copies of a time step in cascade, a field that stays on the board."""
