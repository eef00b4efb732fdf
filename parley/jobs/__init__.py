"""Jobs: what takes longer than a request, handed from the gateway to a maker. So far: making avatars."""
