"""The Open Inference Protocol v2, with the binary tensor extension and what Triton's clients ask for beside.

`routes` is the entry. `request` reads what a client wants, `numbers` its tensors where they are JSON, `infer` answers.
Specification: https://github.com/kserve/open-inference-protocol and the extensions in
https://github.com/triton-inference-server/server/tree/main/docs/protocol.
"""
