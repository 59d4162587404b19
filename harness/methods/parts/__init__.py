"""Parts that several methods share: LoRA's kernel, adapters in a format of their own, methods by a PEFT config file.

No file here is a method. The modules import torch where `lora_kernel` needs it, and no other room than the methods.
"""
