"""Command lines: flags defined by typed options, flagfiles, help pages."""
