"""The statements the server understands: from text to frozen values."""
