"""Images of the TAIGA-IACT camera: geometry, simulated showers, the data set."""
