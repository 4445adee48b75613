"""Only the sources are tested: what nbgrader makes from them fails by design until a student answers."""

collect_ignore_glob = ["release/*", "submitted/*", "autograded/*", "feedback/*"]
