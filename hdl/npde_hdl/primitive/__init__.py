"""The device cells that synthesis will not infer, each behind a signature that plain logic also has."""
