"""The proxy: requests in, responses out. It does not know what is bad."""
