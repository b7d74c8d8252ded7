"""int8: calibration images, simulation, layer sensitivity, quantisation-aware fine-tuning."""
