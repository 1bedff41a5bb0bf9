"""``python -m minirnn`` is the ``minirnn`` command."""

import sys

from minirnn.cli import main

sys.exit(main())
