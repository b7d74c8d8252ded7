"""int8: calibration images, ranges, layer sensitivity, quantisation-aware fine-tuning."""
