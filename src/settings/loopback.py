"""Addresses by which every machine calls itself."""

import ipaddress


def is_loopback(address: str) -> bool:
    """Whether no other machine can reach this one by the address; a name is taken to be known elsewhere."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
