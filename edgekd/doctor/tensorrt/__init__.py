"""What `edgekd doctor` reports of TensorRT, and of the Jetson that it runs on."""
