"""The maker: makes the avatars that people ask the gateway for. `python -m training.maker`."""
