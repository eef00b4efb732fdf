"""Our own neural voices, run by ONNX Runtime: phones to mel spectrogram, mel spectrogram to speech."""
