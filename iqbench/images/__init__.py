"""Image files and pixels: decode, convert colours, resize, quantise, degrade."""
