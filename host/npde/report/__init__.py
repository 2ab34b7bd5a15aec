"""Pictures of what happened: results people would rather look at than read."""
