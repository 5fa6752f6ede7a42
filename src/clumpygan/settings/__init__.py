"""Settings declared once: a default, a unit, a range and a sentence for each.

A settings class is a frozen dataclass whose fields are made by `setting`. From it come the flags
of the programs and their help (`clumpygan.commands.flags`), the check of values from Python
(`check`, called in ``__post_init__``), and the check of sections of YAML (`from_mapping`). A
message names the setting in backticks, as in "`samples` is 3: expected ..."; the programs write
it as their flag.
"""

import lazy_loader

# What is public, and from where, is in the stub beside; each name is imported when it is used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
