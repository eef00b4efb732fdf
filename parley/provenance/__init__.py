"""Where an answer comes from: a visible badge, a signed manifest, and a mark that is not heard."""
