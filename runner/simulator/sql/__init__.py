"""The grammar: parses texts to statements, which are frozen values."""
