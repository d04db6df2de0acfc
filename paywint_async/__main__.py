"""``python -m paywint_async`` is the command ``paywint``."""

import sys

from paywint_async._cli import main

sys.exit(main())
