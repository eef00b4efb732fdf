"""Functions that the mind may call: the client's are handed to it, the operator's (MCP) are run here."""
