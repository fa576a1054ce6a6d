"""Helpers of the tests: starts of the suite and of servers, clients, proxies, certificates."""
