"""The gateway: the one public door. Web page, HTTP API, and the realtime websocket."""
