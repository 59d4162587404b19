"""Parts that several methods share: the kernel of LoRA, and adapters in a format of their own.

No file here is a method. The modules import torch where `lora_kernel` needs it, and no other room than the methods.
"""
