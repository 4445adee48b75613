"""How the pipeline moves: velocity, time in stages, slipped and stalled deals, reasons of loss."""
