"""The board's side of the protocol: UART, framing, and the commands."""
