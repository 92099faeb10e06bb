"""Diffusion: noise schedules, objectives and samplers as pure functions of tensors, of any network and value range."""
