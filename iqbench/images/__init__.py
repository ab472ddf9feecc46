"""Files to pixels: decode, colour, resize, crop, quantise, degrade."""
