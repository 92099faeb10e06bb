"""Python commands without the seconds that every fresh interpreter needs to import torch and Lightning."""
