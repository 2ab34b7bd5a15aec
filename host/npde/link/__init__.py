"""The board link: one protocol table, frames over any byte pipe, and the host's side of it."""
