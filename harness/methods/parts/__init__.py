"""Parts that several methods share: the kernel of LoRA, and adapters in a format of their own.

No file here is a method. `lora_kernel` and `wide_product` import torch at the top, and no other room than the methods.
"""
