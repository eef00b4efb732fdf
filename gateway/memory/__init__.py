"""What is remembered of a person across conversations: only if they ask for it, and only what they see."""
