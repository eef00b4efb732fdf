"""The OpenAI Realtime dialect, plus a face."""
