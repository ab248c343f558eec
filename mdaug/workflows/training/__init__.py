"""The steps of `mdaug train`: frames, augmentation, baseline, Δ-learning, network, hardening, records."""
