"""Does a module system behave as torch.nn.Module is documented to?"""

__version__ = "0.1.0"
