"""One run in a process of its own: ``python -m minirnn.models.worker JSON``."""

import json
import sys

from minirnn.errors import DtypeError, InputError
from minirnn.models import registry
from minirnn.threads import use_threads


def main(text):
    """Do the run that the JSON describes -> exit status: 0 complete, 1 diverged, 2 bad input, 130 or 143 stopped."""
    task = json.loads(text)
    use_threads()
    try:
        return registry.run(task["kind"], task["config"], task["path"], task["folder"], quiet=task["quiet"]).status
    except KeyboardInterrupt:  # while the data are read; later it is a request to stop, with a checkpoint
        return 130
    except (InputError, DtypeError, OSError) as error:
        print(f"minirnn: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
