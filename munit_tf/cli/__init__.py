"""Command lines: flags made from typed options, flagfiles, help pages."""
