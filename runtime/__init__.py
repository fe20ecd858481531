"""The floor of roadmask: frames, masks, model files, providers. Imports none of the other stages."""
