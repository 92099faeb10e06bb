"""Every key of the configuration as a plain dataclass, documented where it is defined.

This package imports nothing but the standard library, so that commands can check a configuration without
loading torch, and networks and stages can take typed settings without knowing Hydra.
"""
