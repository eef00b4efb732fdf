"""Answers from written notes: format, retrieval, and the manners of a conversation."""
