"""The bits a user flashes, turned back into a circuit: the other way round from nextpnr and icepack."""
