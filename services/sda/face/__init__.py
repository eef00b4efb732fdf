"""The viseme face: what to say with it (controls, curves, life) and how it is drawn (bank)."""
